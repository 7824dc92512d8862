//! Checks what the tests in a guest rely on. This test runs there too: `cargo xtask test --only
//! keys`.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn it_is_a_guest_and_says_so() {
    assert_eq!(std::env::var("OMNIGLOT_GUEST").as_deref(), Ok("1"));
    assert!(read("/proc/cmdline").contains("console=ttyS0"));
}

#[test]
fn the_processors_have_protection_keys_and_the_kernel_uses_them() {
    let information = read("/proc/cpuinfo");
    let flags: Vec<&str> = information.lines().filter(|line| line.starts_with("flags")).collect();
    assert_eq!(flags.len(), 2, "{information}");
    for flag in ["pku", "ospke", "fsgsbase", "xsave"] {
        for processor in &flags {
            assert!(processor.split_whitespace().any(|word| word == flag), "{flag}: {processor}");
        }
    }
}

#[test]
fn two_threads_can_run_at_once() {
    assert_eq!(thread::available_parallelism().unwrap().get(), 2);
}

#[test]
fn the_kernel_is_new_enough() {
    let release = read("/proc/sys/kernel/osrelease");
    let mut numbers = release.split('.').map(|number| number.parse::<u32>());
    let version = (numbers.next().unwrap().unwrap(), numbers.next().unwrap().unwrap());
    assert!(version >= (6, 12), "{release}");
}

#[test]
fn the_usual_surroundings_are_there() {
    for place in ["/proc/self/maps", "/dev/null", "/dev/zero", "/dev/urandom", "/sys/kernel"] {
        assert!(Path::new(place).exists(), "{place}");
    }
    for place in ["/tmp", "/dev/shm", "/run"] {
        fs::write(format!("{place}/inside-{}", std::process::id()), "here").unwrap();
    }
    let here = std::env::current_dir().unwrap();
    assert!(here.ends_with("tests/guest"), "{}", here.display());
}

#[test]
fn the_usual_tools_are_there() {
    let script = "echo one two | awk '{print $2}' | sed s/two/three/ | grep -c three && id -u";
    let output = Command::new("/bin/sh").args(["-ec", script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n0\n");
}
