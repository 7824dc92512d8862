//! The places.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result};

use crate::host::{
    ADDRESS, Build, DYNAMIC_MUSL_WITH_GLIBC, DYNAMIC_MUSL_WITH_MUSL, GLIBC_WITH_MUSL,
    STATIC_MUSL_WITH_GLIBC, STATIC_MUSL_WITH_MUSL, THREAD,
};
use crate::scene::Scene;
use crate::tools::Tool;

/// What must come of a place.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// Everything succeeds.
    Works,
    /// Nothing starts, and this is in the error of host and doctor.
    Says(&'static str),
}

/// Which host runs.
#[derive(Debug)]
enum Host {
    Plain,
    /// It waits for all children.
    Reaping,
    Built(&'static Build),
}

/// A place in which programs run.
#[derive(Debug)]
pub struct Place {
    /// What it is, for people.
    pub name: &'static str,
    /// What it needs of this machine.
    pub tools: &'static [Tool],
    /// What must come of it.
    pub expected: Expected,
    /// Whether it is an ordinary test, too: it needs nothing that machines lack, and takes a second.
    pub is_ordinary: bool,
    /// The words that a program's command follows. `{tree}`, `{dir}`, `{filtered}` and `{set}` stand
    /// for what a scene has.
    words: &'static [&'static str],
    host: Host,
}

impl Place {
    const fn new(name: &'static str, words: &'static [&'static str]) -> Self {
        let (tools, expected) = (&[], Expected::Works);
        Self { name, tools, expected, is_ordinary: false, words, host: Host::Plain }
    }

    const fn needs(mut self, tools: &'static [Tool]) -> Self {
        self.tools = tools;
        self
    }

    const fn says(mut self, error: &'static str) -> Self {
        self.expected = Expected::Says(error);
        self
    }

    const fn ordinary(mut self) -> Self {
        self.is_ordinary = true;
        self
    }

    const fn with(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// Why the place cannot be made on this machine, if it cannot.
    #[must_use]
    pub fn obstacle(&self, scene: &Scene) -> Option<String> {
        self.tools.iter().find_map(|tool| tool.lack(scene.is_root()))
    }

    /// The command of its host.
    pub(crate) fn host(&self, scene: &Scene) -> Result<Command> {
        let mut host = match self.host {
            Host::Built(build) => build.host()?,
            Host::Plain | Host::Reaping => scene.host(),
        };
        if matches!(self.host, Host::Reaping) {
            host.push("--reap".into());
        }
        self.enter(scene, host)
    }

    /// The command of `omniglot doctor`, built as the host is.
    pub(crate) fn doctor(&self, scene: &Scene) -> Result<Command> {
        let mut doctor = scene.doctor();
        if let Host::Built(build) = self.host
            && let Some(program) = build.doctor()?
        {
            doctor[0] = program.into();
        }
        self.enter(scene, doctor)
    }

    /// The command that runs a program in the place.
    fn enter(&self, scene: &Scene, program: Vec<OsString>) -> Result<Command> {
        let words: Result<Vec<OsString>> =
            self.words.iter().map(|word| filled(word, scene)).collect();
        let mut words = words?.into_iter().chain(program);
        let mut command = Command::new(words.next().context("a command has words")?);
        command.args(words).current_dir("/");
        Ok(command)
    }
}

/// The word, with what its placeholder stands for.
fn filled(word: &str, scene: &Scene) -> Result<OsString> {
    let mut text = word.to_owned();
    for (name, value) in [
        ("{dir}", scene.directory().as_os_str().to_owned()),
        ("{filtered}", scene.filtered()),
        ("{set}", scene.system_service()),
        ("{workspace}", concat!(env!("CARGO_MANIFEST_DIR"), "/../..").into()),
    ] {
        text = text.replace(name, &value.to_string_lossy());
    }
    if text.contains("{tree}") {
        text = text.replace("{tree}", &scene.tree()?.to_string_lossy());
    }
    Ok(text.into())
}

/// All places, in the table's order.
pub fn all() -> impl Iterator<Item = &'static Place> {
    [USERS, CONTAINERS, FILTERS, FILES, KERNELS, GUESTS, LIMITS, HOSTS, LIBCS].into_iter().flatten()
}

const ROOT: &[Tool] = &[Tool::Root];

const USERS: &[Place] = &[
    Place::new("an ordinary process", &["env"]).ordinary(),
    Place::new("an ordinary user's process", AS_NOBODY).needs(ROOT).ordinary(),
];

const AS_NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// Both need a hierarchy of control groups that they know, which a mount namespace shows them.
const ROOTFUL: &str = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; \
     exec podman run --rm --cgroups=disabled --network=none --ulimit nofile=1024:1024 \
     --ulimit nproc=4096:4096 $OPTIONS --rootfs \"$@\"";
const ROOTLESS: &str = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; \
     mkdir -p {dir}/home/run && chown -R 65534:65534 {dir}/home {tree} && \
     export HOME={dir}/home XDG_RUNTIME_DIR={dir}/home/run && \
     exec setpriv --reuid=65534 --regid=65534 --clear-groups podman run --rm --cgroups=disabled \
     --network=none --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 $OPTIONS --rootfs \"$@\"";
const LOCKED: &str = "OPTIONS=--cap-drop=all --read-only --security-opt=no-new-privileges";
const PODMAN: &[Tool] = &[Tool::Root, Tool::Command("podman", "podman crun")];

const CONTAINERS: &[Place] = &[
    Place::new(
        "podman as root, default profile",
        &["unshare", "--mount", "env", "OPTIONS=", "sh", "-c", ROOTFUL, "sh", "{tree}"],
    )
    .needs(PODMAN),
    Place::new(
        "podman as root, `--cap-drop all --read-only --security-opt no-new-privileges`",
        &["unshare", "--mount", "env", LOCKED, "sh", "-c", ROOTFUL, "sh", "{tree}"],
    )
    .needs(PODMAN),
    Place::new(
        "podman as an ordinary user, default profile",
        &["unshare", "--mount", "env", "OPTIONS=", "sh", "-c", ROOTLESS, "sh", "{tree}"],
    )
    .needs(PODMAN),
    Place::new(
        "podman as an ordinary user, `--cap-drop all --read-only --security-opt no-new-privileges`",
        &["unshare", "--mount", "env", LOCKED, "sh", "-c", ROOTLESS, "sh", "{tree}"],
    )
    .needs(PODMAN),
    Place::new(
        "bubblewrap, `--unshare-all`, `/proc`",
        &[
            "bwrap",
            "--unshare-all",
            "--ro-bind",
            "{tree}",
            "/",
            "--proc",
            "/proc",
            "--tmpfs",
            "/etc",
        ],
    )
    .needs(BUBBLEWRAP),
    Place::new(
        "bubblewrap, `--unshare-all`, no `/proc`",
        &["bwrap", "--unshare-all", "--ro-bind", "{tree}", "/", "--tmpfs", "/etc"],
    )
    .needs(BUBBLEWRAP)
    .says(NO_PROC),
    Place::new("firejail, default profile", &["firejail", "--quiet", "--profile=default"])
        .needs(&[Tool::Command("firejail", "firejail")]),
];

const BUBBLEWRAP: &[Tool] = &[Tool::Command("bwrap", "bubblewrap")];
const NO_PROC: &str = "mount -t proc proc /proc";

/// `MemoryDenyWriteExecute=` of systemd.exec(5), by its text: no memory that is writable and
/// executable at once, none that becomes executable. `$0` is the launcher.
const NO_NEW_CODE: &str = "exec \"$0\" --errno 1 --refuse 'mmap:2&6=6' --refuse 'mprotect:2&4=4' \
     --refuse 'pkey_mprotect:2&4=4' --refuse 'shmat:2&32768=32768' -- \"$@\"";

const FILTERS: &[Place] = &[
    Place::new(
        "systemd's `MemoryDenyWriteExecute` and `NoNewPrivileges`, by a filter",
        &["setpriv", "--no-new-privs", "sh", "-c", NO_NEW_CODE, "{filtered}"],
    )
    .ordinary(),
    Place::new(
        "the same with `SystemCallFilter=@system-service` of systemd 252 and \
         `SystemCallErrorNumber=EPERM`",
        &[
            "sh",
            "-c",
            NO_NEW_CODE,
            "{filtered}",
            "{filtered}",
            "--only",
            "{set}",
            "--errno",
            "1",
            "--",
        ],
    )
    .ordinary()
    .says(SECCOMP),
    Place::new(
        "the same without `SystemCallErrorNumber`: refused calls end the process",
        &["sh", "-c", NO_NEW_CODE, "{filtered}", "{filtered}", "--only", "{set}", "--"],
    )
    .ordinary()
    .says(SECCOMP),
    Place::new(
        "the same with `SystemCallFilter=@system-service seccomp`",
        &[
            "sh",
            "-c",
            NO_NEW_CODE,
            "{filtered}",
            "{filtered}",
            "--only",
            "{set}",
            "--also",
            "seccomp",
            "--",
        ],
    )
    .ordinary(),
    Place::new(
        "`SystemCallFilter=~@resources`: choosing processors ends the process",
        &["{filtered}", "--errno", "end", "--refuse", "sched_setaffinity", "--"],
    )
    .ordinary(),
];

const SECCOMP: &str = "SystemCallFilter=@system-service seccomp";

const FILES: &[Place] = &[
    Place::new(
        "an ordinary user in a chroot with `/proc`, without `/dev/shm` and `/tmp`",
        &["unshare", "--mount", "sh", "-c", CHROOT_WITH_PROC, "sh", "{tree}"],
    )
    .needs(ROOT),
    Place::new(
        "an ordinary user in a chroot without `/proc`, `/dev/shm` and `/tmp`",
        &["unshare", "--mount", "sh", "-c", CHROOT, "sh", "{tree}"],
    )
    .needs(ROOT)
    .says(NO_PROC),
    Place::new(
        "`noexec` mounts at `/tmp`, `/dev/shm`, `/run` and `/proc`",
        &["unshare", "--mount", "sh", "-c", NOEXEC, "sh"],
    )
    .needs(ROOT),
];

const CHROOT: &str = "rmdir \"$1/tmp\"; exec chroot --userspec=65534:65534 \"$@\"";
const CHROOT_WITH_PROC: &str =
    "mount -t proc proc \"$1/proc\" && exec chroot --userspec=65534:65534 \"$@\"";
const NOEXEC: &str = "for place in /tmp /dev/shm /run; do \
     mount -t tmpfs -o noexec,nosuid,nodev none $place || exit; done; \
     mount -o remount,noexec /proc && exec \"$@\"";

const KERNELS: &[Place] = &[
    Place::new(
        "`vm.memfd_noexec` 1",
        &["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", NOEXEC_1, "sh"],
    )
    .needs(ROOT),
    Place::new(
        "`vm.memfd_noexec` 2",
        &["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", NOEXEC_2, "sh"],
    )
    .needs(ROOT)
    .says("vm.memfd_noexec"),
    Place::new(
        "no Landlock (its calls are ENOSYS)",
        &[
            "{filtered}",
            "--refuse",
            "landlock_create_ruleset",
            "--refuse",
            "landlock_add_rule",
            "--refuse",
            "landlock_restrict_self",
            "--",
        ],
    )
    .ordinary(),
    Place::new(
        "neither Landlock nor seccomp user notification",
        &[
            "{filtered}",
            "--refuse",
            "landlock_create_ruleset",
            "--",
            "{filtered}",
            "--errno",
            "22",
            "--refuse",
            "seccomp:1&8=8",
            "--",
        ],
    )
    .ordinary()
    .says("Landlock"),
    Place::new(
        "no pidfd (its calls are ENOSYS)",
        &["{filtered}", "--refuse", "pidfd_open", "--refuse", "pidfd_send_signal", "--"],
    )
    .ordinary()
    .says("pidfd_open"),
    Place::new(
        "memfd_create without MFD_EXEC (EINVAL, before Linux 6.3)",
        &["{filtered}", "--errno", "22", "--refuse", "memfd_create:1&16=16", "--"],
    )
    .ordinary(),
    Place::new(
        "no openat2, no close_range (ENOSYS)",
        &["{filtered}", "--refuse", "openat2", "--refuse", "close_range", "--"],
    )
    .ordinary()
    .says("close_range"),
];

/// Debian's kernel for clouds, which has Landlock, in `cargo xtask guest`.
const GUESTS: &[Place] = &[
    Place::new("Linux 6.12 with Landlock, in a virtual machine", &["sh", "-c", GUEST, "sh"])
        .needs(EMULATOR),
    Place::new(
        "there, without seccomp user notification",
        &[
            "sh",
            "-c",
            GUEST,
            "sh",
            "{filtered}",
            "--errno",
            "22",
            "--refuse",
            "seccomp:1&8=8",
            "--",
        ],
    )
    .needs(EMULATOR),
];

const EMULATOR: &[Tool] = &[Tool::Command("qemu-system-x86_64", "qemu-system-x86")];
const GUEST: &str = "cd {workspace} && exec cargo --quiet xtask guest --file libpng16.so.16 \
     --file {dir} -- \"$@\"";

const NOEXEC_1: &str = "echo 1 > /proc/sys/vm/memfd_noexec && exec \"$@\"";
const NOEXEC_2: &str = "echo 2 > /proc/sys/vm/memfd_noexec && exec \"$@\"";

const LIMITS: &[Place] = &[
    Place::new("RLIMIT_AS of 1 GiB", &["prlimit", "--as=1073741824"]).ordinary().says("ulimit -v"),
    Place::new(
        "RLIMIT_NPROC of 1, as an ordinary user",
        &["setpriv", "--reuid=64321", "--regid=64321", "--clear-groups", "prlimit", "--nproc=1"],
    )
    .needs(ROOT)
    .ordinary()
    .says("ulimit -u"),
    Place::new("RLIMIT_NOFILE of 10", &["prlimit", "--nofile=10"]).ordinary().says("ulimit -n"),
    Place::new("RLIMIT_NOFILE of 32", &["prlimit", "--nofile=32"]).ordinary(),
    Place::new("RLIMIT_FSIZE of 1 MiB", &["prlimit", "--fsize=1048576"])
        .ordinary()
        .says("ulimit -f"),
    Place::new("one processor", &["taskset", "-c", "0"]).ordinary(),
];

const HOSTS: &[Place] = &[
    Place::new("under gdb", &["gdb", "--batch", "--return-child-result", "-ex", "run", "--args"])
        .needs(&[Tool::Command("gdb", "gdb")]),
    Place::new("under `strace -f`", &["strace", "-f", "-o", "/dev/null"])
        .needs(&[Tool::Command("strace", "strace")]),
    Place::new("under valgrind 3.19, of Debian 12", &["valgrind", "-q"])
        .needs(&[Tool::Command("valgrind", "valgrind")])
        .says("old versions of valgrind"),
    Place::new("built with AddressSanitizer", &["env"])
        .needs(&[Tool::Sanitizers])
        .with(Host::Built(&ADDRESS)),
    Place::new("built with ThreadSanitizer", &["env"])
        .needs(&[Tool::Sanitizers])
        .with(Host::Built(&THREAD)),
    Place::new(
        "a host with 10,000 open files, which its children inherit",
        &["bash", "-c", MANY_FILES, "bash"],
    )
    .ordinary(),
    Place::new("a host that ignores SIGCHLD", &["env", "--ignore-signal=CHLD"]).ordinary(),
    Place::new("a host that waits for all children", &["env"]).ordinary().with(Host::Reaping),
];

/// The C libraries of a host, and of its foreign library.
const LIBCS: &[Place] = &[
    Place::new("a static musl host with glibc's library", &["env"])
        .needs(MUSL)
        .with(Host::Built(&STATIC_MUSL_WITH_GLIBC)),
    Place::new("a static musl host with musl's library", &["env"])
        .needs(MUSL)
        .with(Host::Built(&STATIC_MUSL_WITH_MUSL)),
    Place::new("a dynamic musl host with glibc's library", &["env"])
        .needs(MUSL)
        .with(Host::Built(&DYNAMIC_MUSL_WITH_GLIBC)),
    Place::new("a dynamic musl host with musl's library", &["env"])
        .needs(MUSL)
        .with(Host::Built(&DYNAMIC_MUSL_WITH_MUSL)),
    Place::new("a glibc host with musl's library", &["env"])
        .needs(MUSL)
        .with(Host::Built(&GLIBC_WITH_MUSL)),
    Place::new(
        "a static musl host with musl's library, on a system without musl",
        &["unshare", "--mount", "sh", "-c", WITHOUT_MUSL, "sh"],
    )
    .needs(MUSL_AND_ROOT)
    .with(Host::Built(&STATIC_MUSL_WITH_MUSL))
    .says("apt install musl"),
    Place::new(
        "a static musl host with glibc's library, on a system without glibc",
        &["unshare", "--mount", "sh", "-c", WITHOUT_GLIBC, "sh"],
    )
    .needs(MUSL_AND_ROOT)
    .with(Host::Built(&STATIC_MUSL_WITH_GLIBC))
    .says("run it on a system with glibc"),
];

const MUSL: &[Tool] = &[Tool::Musl, Tool::Command("musl-gcc", "musl-tools")];
const MUSL_AND_ROOT: &[Tool] = &[Tool::Root, Tool::Musl, Tool::Command("musl-gcc", "musl-tools")];
const WITHOUT_MUSL: &str = "mount -t tmpfs none /usr/lib/x86_64-linux-musl && exec \"$@\"";
const WITHOUT_GLIBC: &str = "mount -t tmpfs none /usr/lib64 && exec \"$@\"";

const MANY_FILES: &str = "for ((file = 10; file < 10010; file++)); do eval \"exec $file</dev/null\" || exit; done; exec \"$@\"";
