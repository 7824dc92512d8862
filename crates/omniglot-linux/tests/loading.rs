//! What can go wrong while a library is loaded, and what hostile constructors get.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(worker_processes)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use omniglot_core::{Description, Error, FaultKind, Runtime, Session, Text};
use omniglot_linux::{Options, Process};
use support::{Shim, call, compile, sample, sample_with};

fn load_error(options: &Options) -> String {
    match Process::start(&sample(), options) {
        Err(Error::Load(text)) => text.as_str().to_owned(),
        other => panic!("an error of loading was expected, but {other:?}"),
    }
}

fn with_library(library: impl Into<PathBuf>) -> Options {
    let mut options = Options::default();
    options.libraries = vec![library.into()];
    options
}

#[test]
fn unfit_files_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = directory.path().join("text.so");
    fs::write(&text, "no library").expect("written");
    assert!(load_error(&with_library(&text)).contains("is no 64-bit ELF file"));

    let foreign = directory.path().join("foreign.so");
    let mut elf = fs::read(std::env::current_exe().expect("this test")).expect("readable");
    elf.truncate(4096);
    elf[18] = 183; // e_machine: EM_AARCH64
    fs::write(&foreign, elf).expect("written");
    assert!(load_error(&with_library(&foreign)).contains("another processor"));

    assert!(load_error(&with_library("/not/there.so")).contains("/not/there.so"));
    assert!(load_error(&with_library("libnot-there.so.9")).contains("libnot-there.so.9"));
}

#[test]
fn an_executable_stack_is_refused_and_writable_code_is_not() {
    let executable = compile("extra.c", &["-Wl,-z,execstack"]);
    assert!(load_error(&with_library(&executable)).contains("executable stack"));
    let directory = tempfile::tempdir().expect("a directory");
    let header = directory.path().join("writable.h");
    let section = r#"__asm__(".section .both,\"awx\",@progbits\n.byte 0xc3\n.text");"#;
    fs::write(&header, section).expect("written");
    let writable = compile("extra.c", &["-include", &header.display().to_string()]);
    Process::start(&sample(), &with_library(&writable)).expect("it loads");
}

#[test]
fn a_library_is_found_by_path_or_in_a_directory() {
    let library = compile("extra.c", &["-Wl,-soname,libextra.so.1"]);
    let description = sample_with(&["-DMISSING=extra_function"]);
    match Process::start(&description, &Options::default()) {
        Err(Error::Load(text)) => assert!(text.as_str().contains("extra_function"), "{text}"),
        other => panic!("an error of loading was expected, but {other:?}"),
    }
    let linux = Process::start(&description, &with_library(&library)).expect("found by its path");
    let mut linux = Session::new(linux);
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));

    let directory = library.parent().expect("its directory");
    fs::copy(&library, directory.join("libextra.so.1")).expect("copied");
    let mut options = with_library("libextra.so.1");
    options.library_directories = vec![PathBuf::from("/not/there"), directory.to_owned()];
    let mut linux =
        Session::new(Process::start(&description, &options).expect("found in a directory"));
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
    fs::remove_dir_all(directory).expect("removed");
}

#[test]
fn a_library_finds_others_beside_itself() {
    let other = compile("extra.c", &["-Wl,-soname,libbeside.so"]);
    let directory = other.parent().expect("its directory");
    let other = directory.join("libbeside.so");
    fs::rename(directory.join("library.so"), &other).expect("renamed");
    let flags =
        ["-Wl,-rpath,$ORIGIN/../beside", "-Wl,--no-as-needed", &other.display().to_string()];
    let library =
        compile("extra.c", &[&["-Dextra_function=another_function"][..], &flags].concat());
    let top = tempfile::tempdir().expect("a directory");
    for (file, place) in [(&library, "with/library.so"), (&other, "beside/libbeside.so")] {
        let place = top.path().join(place);
        fs::create_dir_all(place.parent().expect("a directory")).expect("made");
        fs::copy(file, place).expect("copied");
    }
    let options = with_library(top.path().join("with/library.so"));
    let mut linux = Session::new(Process::start(&sample(), &options).expect("both load"));
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
}

/// As in a build script with `link_search`. The library has an older entry for where others are,
/// which also holds for those that these need.
#[test]
fn libraries_are_found_where_they_were_linked() {
    let top = tempfile::tempdir().expect("a directory");
    let place = |name: &str| {
        let place = top.path().join(name);
        fs::create_dir_all(place.parent().expect("a directory")).expect("made");
        place
    };
    let link = |name: &str, function: &str, needed: Option<&Path>, path: &[&str]| {
        let soname = format!("-Wl,-soname,{}", name.rsplit('/').next().expect("a name"));
        let define = format!("-Dextra_function={function}");
        let mut flags = vec![soname.as_str(), define.as_str(), "-Wl,--no-as-needed"];
        flags.extend(path);
        flags.extend(needed.and_then(Path::to_str));
        let made = compile("extra.c", &flags);
        fs::copy(&made, place(name)).expect("copied");
        fs::remove_dir_all(made.parent().expect("its directory")).expect("removed");
        place(name)
    };
    let last = link("far/lib/libextra-c.so", "third", None, &[]);
    // Without an entry of its own: it relies on that of the library that needs it.
    let middle =
        link("far/lib/libextra-b.so", "second", Some(&last), &["-Wl,--allow-shlib-undefined"]);
    let old = ["-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/../far/lib"];
    let first = link("near/libextra-a.so", "first", Some(&middle), &old);
    let path = format!("-Wl,-rpath,{}", top.path().join("near").display());
    let first = first.display().to_string();
    let description = sample_with(&["-DMISSING=first", "-Wl,--no-as-needed", &path, &first]);
    let linux = Process::start(&description, &Options::default()).expect("all are found");
    assert_eq!(call(&mut Session::new(linux), Shim::Add, 1, 1), Ok(2));
}

/// A library that is hostile could name any directory.
#[test]
fn a_search_path_of_a_library_lets_it_read_nothing_but_libraries() {
    let top = tempfile::tempdir().expect("a directory");
    let secret = top.path().join("secret");
    fs::write(&secret, "text").expect("written");
    let code = format!(
        "#include <fcntl.h>\n#include <stdlib.h>\n\
         __attribute__((constructor)) static void look(void) {{\n\
         if (open(\"{}\", O_RDONLY) >= 0) abort(); }}\n",
        secret.display()
    );
    let header = top.path().join("look.h");
    fs::write(&header, code).expect("written");
    let path = format!("-Wl,-rpath,{}:/", top.path().display());
    let library = compile("extra.c", &["-include", &header.display().to_string(), &path]);
    Process::start(&sample(), &with_library(library)).expect("it reads nothing");
}

#[test]
fn a_missing_function_of_the_header_is_named() {
    match Process::start(&sample_with(&["-DMISSING=not_there"]), &Options::default()) {
        Err(Error::MissingFunction(name)) => assert_eq!(name.as_str(), "not_there"),
        other => panic!("a missing function was expected, but {other:?}"),
    }
}

#[test]
fn a_description_of_another_image_is_refused() {
    let description = Description { shims: 3, ..sample() };
    assert!(matches!(Process::start(&description, &Options::default()), Err(Error::Load(_))));
    let description = Description { image: &[], ..sample() };
    assert!(matches!(
        Process::start(&description, &Options::default()),
        Err(Error::Unsupported { .. })
    ));
    let description = Description { image: b"junk", ..sample() };
    assert!(matches!(Process::start(&description, &Options::default()), Err(Error::Load(_))));
}

#[test]
fn sizes_out_of_range_are_refused() {
    let mut options = Options::default();
    options.memory_limit = 1 << 20;
    assert!(load_error(&options).contains("memory_limit"));
    options.memory_limit = usize::MAX;
    assert!(load_error(&options).contains("memory_limit"));
    options = Options::default();
    options.stack_size = usize::MAX;
    assert!(load_error(&options).contains("stack_size"));
}

#[test]
fn the_smallest_and_a_large_window_work() {
    for limit in [32 << 20, 34_567_890, 64 << 30] {
        let mut options = Options::default();
        options.memory_limit = limit;
        let mut linux = Session::new(Process::start(&sample(), &options).expect("it loads"));
        assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
        assert!(linux.window().len() >= limit);
    }
}

#[test]
fn the_distributions_libraries_load_unmodified() {
    for name in ["libm.so.6", "libz.so.1", "libstdc++.so.6", "libpng16.so.16", "libcrypto.so.3"] {
        match Process::start(&sample(), &with_library(name)) {
            Ok(linux) => {
                let mut linux = Session::new(linux);
                assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2), "{name}");
            }
            Err(Error::Load(text)) if text.as_str().contains("No such file") => {}
            Err(other) => panic!("{name}: {other}"),
        }
    }
}

/// What starting a library with that constructor gives.
fn with_constructor(code: &str) -> Error {
    with_constructor_for(code, Options::default().start_timeout)
}

/// The same, for at most that long.
fn with_constructor_for(code: &str, limit: Duration) -> Error {
    let flag = format!("-DCONSTRUCTOR={code}");
    let mut options = Options::default();
    options.start_timeout = limit;
    match Process::start(&sample_with(&[&flag]), &options) {
        Err(error) => error,
        Ok(linux) => panic!("{code} should not load, but {linux:?}"),
    }
}

#[test]
fn constructors_that_fail_are_errors_of_the_start() {
    assert!(
        matches!(with_constructor("abort()"), Error::Fault(fault) if fault.kind == FaultKind::Abort)
    );
    assert!(
        matches!(with_constructor("*(volatile int *)8 = 1"), Error::Fault(fault) if fault.address == 8)
    );
    assert_eq!(with_constructor("exit(3)"), Error::Exited { status: Some(3) });
    assert_eq!(with_constructor("_exit(3)"), Error::Exited { status: Some(3) });
    let limit = Duration::from_millis(500);
    let ended = with_constructor_for("for (volatile int i = 0;;) i++", limit);
    assert_eq!(ended, Error::Timeout { limit });
}

/// The library whose constructor it was, and its function; not the C library's.
#[test]
fn a_constructor_that_makes_a_denied_call_is_named() {
    for (code, name) in [("socket(2,1,0)", "socket"), ("system(\"true\")", "clone")] {
        let flag = format!("-DCONSTRUCTOR={code}");
        let library = compile("sample.c", &[&flag, "-Wl,-soname,libguilty.so.1"]);
        let place = library.with_file_name("libguilty.so.1");
        std::fs::rename(library, &place).expect("renamed");
        match Process::start(&sample(), &with_library(place)) {
            Err(error @ Error::SyscallDenied { place, .. }) => {
                assert!(place.as_str().starts_with("libguilty.so.1"), "{code}: {error}");
                assert!(error.to_string().contains(name), "{code}: {error}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[test]
fn a_constructor_that_leaves_nothing_to_load_with_is_at_fault_itself() {
    let all = "while(mmap(0,1<<20,PROT_READ,MAP_PRIVATE|MAP_ANONYMOUS,-1,0)!=MAP_FAILED)";
    let ways = [
        ("syscall(SYS_close_range,3,~0u,0)", "sample"),
        ("close(3)", "sample"),  // the window's memory
        ("close(9)", "sample"),  // the list of mappings
        ("close(10)", "sample"), // the page map
        ("close(3),open(\"/proc/self/fd/4\",O_RDONLY)", "sample"),
        (all, "raise memory_limit"),
    ];
    for (code, said) in ways {
        match with_constructor(code) {
            Error::Load(text) => assert!(text.as_str().contains(said), "{code}: {text}"),
            other => panic!("{code}: the library's own fault was expected, but {other:?}"),
        }
    }
    // In a library of the user's: what is not there any more are the shims.
    for code in ["syscall(SYS_close_range,3,~0u,0)", &format!("{all};")] {
        let library = compile("sample.c", &[&format!("-DCONSTRUCTOR={code}")]);
        load_error(&with_library(library));
    }
}

#[test]
fn constructors_get_no_forbidden_system_call() {
    let host = std::process::id();
    let attacks = [
        (format!("kill({host},9)"), "kill"),
        ("fork()".to_owned(), "clone"),
        ("execl(\"/bin/true\",\"true\",(char*)0)".to_owned(), "execve"),
        ("syscall(SYS_socket,1,1,0)".to_owned(), "socket"),
        (format!("syscall(SYS_ptrace,16,{host},0,0)"), "ptrace"),
        (format!("syscall(SYS_process_vm_writev,{host},0,0,0,0,0)"), "process_vm_writev"),
        (format!("syscall(SYS_prlimit64,{host},0,0,0)"), "prlimit64"),
        ("syscall(SYS_prlimit64,0,7,signals,0)".replace("signals", "stdout"), "prlimit64"),
        ("syscall(SYS_pwrite64,4,\"x\",1,0)".to_owned(), "pwrite64"),
        ("syscall(SYS_io_uring_setup,1,0)".to_owned(), "io_uring_setup"),
        (format!("syscall(SYS_pidfd_open,{host},0)"), "pidfd_open"),
        // Another filter than the one for calls; that one with other arguments.
        ("syscall(SYS_seccomp,1,0,stdout)".to_owned(), "seccomp"),
        ("syscall(SYS_seccomp,0,0,0)".to_owned(), "seccomp"),
        ("syscall(SYS_seccomp,1,8,0x20000000)".to_owned(), "seccomp"),
    ];
    for (code, name) in &attacks {
        match with_constructor(code) {
            Error::SyscallDenied { name: denied, .. } => assert_eq!(denied, *name, "{code}"),
            other => panic!("{code} should be denied, but {other:?}"),
        }
    }
}

/// System calls that a libc of tomorrow may make while it loads, none for long known.
#[test]
fn system_calls_that_no_filter_knows_fail_while_loading() {
    // mseal, futex_waitv, cachestat, map_shadow_stack, openat2, one that is none.
    let unknown = "errno==ENOSYS&&";
    let tried = ["462", "449", "451", "453", "437", "0x7fff", "0x40000000|39"]
        .map(|number| format!("syscall({number},0,0,0,0)==-1&&{unknown}"))
        .concat();
    let known = "syscall(SYS_readlinkat,-100,\"/proc/self/exe\",__builtin_alloca(9),8)==-1&&errno==EACCES\
                 &&syscall(SYS_statx,-100,\"/\",0,1,__builtin_alloca(256))==0";
    let flag =
        format!("-DCONSTRUCTOR=double kept=environ!=0;if(!({tried}{known}&&kept==1))exit(77)");
    let mut linux = Session::new(
        Process::start(&sample_with(&[&flag]), &Options::default()).expect("it loads"),
    );
    assert_eq!(call(&mut linux, Shim::Add, 1, 1), Ok(2));
    // In calls they end the worker, and are named.
    let denied = call(&mut linux, Shim::Syscall, 0x7fff, 0).expect_err("a denied call");
    let is_named = matches!(denied, Error::SyscallDenied { name: "unknown", number: 0x7fff, .. });
    assert!(
        is_named && denied.to_string().contains("system call 32767 in sample: shim_syscall+0x"),
        "{denied}"
    );
}

#[test]
fn constructors_have_no_clock() {
    // 77: the time stands still, and no wait until a time is one.
    let still = "!__builtin_ia32_rdtsc()&&!__builtin_ia32_rdtscp((unsigned*)__builtin_alloca(4))";
    let wait =
        "syscall(SYS_futex,__builtin_alloca(64),0,*(int*)__builtin_alloca(64),arguments,0,0)<0";
    let code = format!("exit({still}&&{wait}&&errno==ETIMEDOUT?77:78)");
    assert_eq!(with_constructor(&code), Error::Exited { status: Some(77) });
    // ARCH_MAP_VDSO_X32, _32 and _64 would map the kernel's clock again.
    for command in ["0x2001", "0x2002", "0x2003"] {
        let code = format!("exit(syscall(SYS_arch_prctl,{command},0)<0&&errno==EPERM?77:78)");
        assert_eq!(with_constructor(&code), Error::Exited { status: Some(77) }, "{command}");
    }
}

#[test]
fn loading_that_fails_names_the_last_unknown_system_call() {
    for (number, named) in [("462", "mseal failed"), ("0x7fff", "system call 32767 failed")] {
        let flag = format!("-DCONSTRUCTOR=syscall({number},0,0,0)");
        let mut options = with_library(compile("sample.c", &[&flag]));
        options.libraries.push("libnot-there.so.9".into());
        let text = load_error(&options);
        assert!(text.contains("libnot-there.so.9") && text.contains(named), "{text}");
    }
}

#[test]
fn a_system_call_that_nobody_could_write_down_is_said_to_be_hidden() {
    // Without a handler; by the 32-bit entry (1 is exit there).
    let hidden =
        ["signal(SIGSYS,SIG_DFL),socket(1,1,0)", "__asm__ volatile(\"int $0x80\"::\"a\"(1))"];
    for code in hidden {
        let code = code.replace("socket(1,1,0)", "syscall(SYS_socket,1,1,0)");
        let error = with_constructor(&code);
        let expected = Error::SyscallDenied {
            name: "unknown",
            number: Error::HIDDEN_NUMBER,
            place: Text::default(),
        };
        assert_eq!(error, expected, "{code}");
        assert!(!error.to_string().contains("unknown"), "{error}");
    }
}

#[test]
fn constructors_get_a_bounded_amount_of_memory() {
    // 77: refused; 78: granted. The window has 4 GiB.
    let private = "MAP_PRIVATE|MAP_ANONYMOUS";
    for (size, flags, status) in [
        ("5ul<<30", private, 77),
        ("1ul<<30", private, 78),
        ("1ul<<20", "MAP_SHARED|MAP_ANONYMOUS", 77),
        ("1ul<<20", "MAP_PRIVATE|MAP_ANONYMOUS|MAP_GROWSDOWN", 77),
    ] {
        let map = format!("mmap(0,{size},PROT_READ|PROT_WRITE,{flags},-1,0)");
        let error = with_constructor(&format!("exit({map}==MAP_FAILED?77:78)"));
        assert_eq!(error, Error::Exited { status: Some(status) }, "{map}");
    }
    // One after the other, wherever there is room: at most a window of it.
    let map = format!("mmap(0,1ul<<29,PROT_READ|PROT_WRITE,{private},-1,0)");
    let count = format!("for(unsigned long n=0;;n++)if({map}==MAP_FAILED)exit(n)");
    match with_constructor(&count) {
        Error::Exited { status: Some(count) } => {
            assert!((1..=8).contains(&count), "{count} times 512 MiB");
        }
        other => panic!("a count was expected, but {other:?}"),
    }
}

/// Page tables and reserved addresses are in no limit, so there is nothing to be had
/// outside the window, nor where the host's part of it and the filter for calls lie.
#[test]
fn constructors_change_no_mapping_outside_their_memory() {
    let places = [
        "(char*)(1ul<<45)",                      // reserved
        "(char*)0x20000000",                     // the filter for calls
        "(char*)0x400000",                       // the stub
        "(char*)((unsigned long)environ&-4096)", // the stack
        "arguments[1]",                          // the window's start
    ];
    for place in places {
        let refused = [
            format!(
                "mmap({place},4096,PROT_READ,MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED,-1,0)==MAP_FAILED"
            ),
            format!("mmap({place},4096,PROT_READ,MAP_SHARED|MAP_FIXED_NOREPLACE,3,0)==MAP_FAILED"),
            format!("mprotect({place},4096,PROT_READ|PROT_WRITE)<0"),
            format!("mprotect({place},1ul<<46,PROT_READ)<0"),
            format!("munmap({place},4096)<0"),
            format!("munmap({place},-4096ul)<0"),
            format!("madvise({place},4096,22)<0"),
            format!("mremap({place},4096,8192,MREMAP_MAYMOVE)==MAP_FAILED"),
        ];
        let refused = refused.map(|call| format!("{call}&&errno==ENOMEM")).join("&&");
        let error = with_constructor(&format!("exit({refused}?77:78)"));
        assert_eq!(error, Error::Exited { status: Some(77) }, "{place}");
    }
    // Not by way of the kernel either, which writes what it reads.
    let error = with_constructor("exit(pread(4,(void*)0x20000000,8,0)<0&&errno==EFAULT?77:78)");
    assert_eq!(error, Error::Exited { status: Some(77) });
}

#[test]
fn constructors_read_libraries_and_nothing_else() {
    let host = std::process::id();
    let secret = tempfile::NamedTempFile::new().expect("a file");
    let paths = [
        "/etc/passwd".to_owned(),
        format!("/proc/{host}/mem"),
        format!("/proc/{host}/environ"),
        "/proc/self/maps".to_owned(),
        secret.path().display().to_string(),
    ];
    for path in &paths {
        // 77: refused; 78: opened.
        let error = with_constructor(&format!("exit(open(\"{path}\",O_RDONLY)<0?77:78)"));
        assert_eq!(error, Error::Exited { status: Some(77) }, "{path}");
    }
    let library = Path::new("/lib/x86_64-linux-gnu/libc.so.6");
    if library.exists() {
        let read = format!(
            "exit(open(\"{0}\",O_RDONLY)<0?77:open(\"{0}\",O_RDWR)<0?79:78)",
            library.display()
        );
        assert_eq!(with_constructor(&read), Error::Exited { status: Some(79) });
    }
}

#[test]
fn constructors_open_files_for_reading_only() {
    // 13: EACCES, from the filter whatever Landlock knows; 78: opened.
    for flags in ["O_PATH", "O_RDONLY|O_TRUNC", "O_RDONLY|O_CREAT", "O_WRONLY", "O_RDWR"] {
        let open = format!("open(\"/etc/ld.so.cache\",{flags},0600)");
        let error = with_constructor(&format!("exit({open}<0?errno:78)"));
        assert_eq!(error, Error::Exited { status: Some(13) }, "{flags}");
    }
    let error = with_constructor("exit(open(\"/etc/passwd\",O_PATH)<0?errno:78)");
    assert_eq!(error, Error::Exited { status: Some(13) });
}

#[test]
fn constructors_open_few_files() {
    let code = "for(int n=0;;n++)if(open(\"/proc/self/fd/4\",O_RDONLY)<0)exit(n)";
    match with_constructor(code) {
        Error::Exited { status: Some(count) } => assert!((1..64).contains(&count), "{count}"),
        other => panic!("a count was expected, but {other:?}"),
    }
}

#[test]
fn constructors_learn_no_physical_addresses() {
    // The page map is descriptor 10; an entry's low 55 bits are a page's place.
    let read = "pread(10,buffer,8,(long)&environ/4096*8)==8";
    let code = format!(
        "unsigned long buffer[1]={{0}};exit({read}?(buffer[0]&((1ul<<55)-1)?78:buffer[0]?77:79):80)"
    );
    assert_eq!(with_constructor(&code), Error::Exited { status: Some(77) });
}
