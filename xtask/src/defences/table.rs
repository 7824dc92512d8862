//! The defences: each with its text in the sources, the replacement text, and the test that then
//! fails.

use std::fmt;

/// The directory of the files in the table.
pub(super) const SOURCES: &str = "crates/omniglot-linux/src/enabled/in_process";

/// A measure without which foreign code could do harm.
#[derive(Debug)]
pub(super) struct Defence {
    /// A description of what it does.
    pub(super) name: &'static str,
    /// The file that contains it.
    pub(super) file: &'static str,
    /// Its text, which occurs once in the file.
    pub(super) text: &'static str,
    /// The text that replaces it.
    pub(super) instead: &'static str,
    /// True if other things also fail without it.
    pub(super) is_basic: bool,
    /// The test that fails without it.
    pub(super) test: Test,
}

/// A test, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// A test of the escapes, named without `keys::`.
    Escape(&'static str),
    /// A test in the runtime's `keys.rs`.
    Runtime(&'static str),
    /// A test in the runtime's `in_process.rs`, named without `keys::`.
    Thread(&'static str),
    /// A test in the runtime's `world.rs` of what anyone can ask the host for, named without
    /// `here::keys::`.
    Ask(&'static str),
    /// A test in the runtime's `tests/sfi`.
    Region(&'static str),
    /// A test of the escapes, named without `sfi::`.
    Verified(&'static str),
}

/// A test program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) package: &'static str,
    pub(super) target: &'static str,
    /// Where it runs.
    pub(super) place: Place,
    /// Control tests, which pass as long as a domain works at all.
    pub(super) controls: &'static [Test],
}

/// Where a test program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a guest, which has protection keys.
    Guest,
    /// On this machine: verified code needs no more.
    Here,
}

const ESCAPES: Program = Program {
    package: "omniglot-conformance",
    target: "escapes",
    place: Place::Guest,
    controls: &[
        Test::Escape("registers::nothing_at_return"),
        Test::Escape("registers::nothing_at_a_fault"),
        Test::Escape("registers::nothing_at_a_callback"),
    ],
};
const RUNTIME: Program = Program {
    package: "omniglot-in-process",
    target: "keys",
    place: Place::Guest,
    controls: &[Test::Runtime("many_threads_are_right_at_once")],
};

const THREADS: Program = Program {
    package: "omniglot-in-process",
    target: "in_process",
    place: Place::Guest,
    controls: &[Test::Thread("many_threads_run_many_domains")],
};

const WORLD: Program = Program {
    package: "omniglot-in-process",
    target: "world",
    place: Place::Guest,
    controls: &[Test::Ask("a_child_has_no_requests")],
};

const REGIONS: Program = Program {
    package: "omniglot-linux",
    target: "sfi",
    place: Place::Here,
    controls: &[Test::Region("calls::a_call_returns_its_result")],
};

const VERIFIED: Program = Program {
    place: Place::Here,
    controls: &[
        Test::Verified("registers::nothing_at_return"),
        Test::Verified("registers::nothing_at_a_callback"),
    ],
    ..ESCAPES
};

impl Test {
    pub(super) const PROGRAMS: [Program; 6] = [ESCAPES, RUNTIME, THREADS, WORLD, REGIONS, VERIFIED];

    pub(super) const fn program(self) -> Program {
        match self {
            Self::Escape(_) => ESCAPES,
            Self::Runtime(_) => RUNTIME,
            Self::Thread(_) => THREADS,
            Self::Ask(_) => WORLD,
            Self::Region(_) => REGIONS,
            Self::Verified(_) => VERIFIED,
        }
    }

    /// The test's name in its program.
    pub(super) fn name(self) -> String {
        match self {
            Self::Escape(name) => format!("keys::{name}"),
            Self::Runtime(name) => format!("tests::{name}"),
            Self::Thread(name) => format!("tests::keys::{name}"),
            Self::Ask(name) => format!("tests::here::keys::{name}"),
            Self::Region(name) => name.to_owned(),
            Self::Verified(name) => format!("sfi::{name}"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Escape(name)
        | Self::Runtime(name)
        | Self::Thread(name)
        | Self::Ask(name)
        | Self::Region(name)
        | Self::Verified(name)) = self;
        formatter.write_str(name)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.target, self.package)
    }
}

/// All defences.
pub(super) const DEFENCES: &[Defence] = &[
    Defence {
        name: "the worker is dead before its memory is copied",
        file: "loading.rs",
        text: "    worker.end();\n",
        instead: "",
        is_basic: false,
        test: Test::Runtime("workers_end_before_and_keys_after_the_memory_that_has_them"),
    },
    Defence {
        name: "the copy is scanned",
        file: "memory.rs",
        text: "            code::disarm(&copy, start, &regions.code())?;\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("gadgets::wrpkru"),
    },
    Defence {
        name: "the whole window has the key, unused pages included",
        file: "memory.rs",
        text: "            unsafe { tag(start, size, ProtFlags::empty(), key) }?;\n",
        instead: "",
        is_basic: true,
        test: Test::Runtime("every_page_has_its_key"),
    },
    Defence {
        name: "mappings in the window have the key",
        file: "memory.rs",
        text: "            unsafe { tag(region.range.start, region.range.len(), region.access, key) }?;\n",
        instead: "",
        is_basic: true,
        test: Test::Runtime("every_page_has_its_key"),
    },
    Defence {
        name: "the host's view has key 0",
        file: "memory.rs",
        text: "        alias.keep_from_children(reservation.generation)?;\n",
        instead: r"        alias.keep_from_children(reservation.generation)?;
        if let Some(key) = key {
            // SAFETY: a mapping that was just made.
            unsafe {
                tag(alias.at(0).as_ptr().addr(), size, ProtFlags::READ | ProtFlags::WRITE, key)
            }?;
        }
",
        is_basic: true,
        test: Test::Escape("views::written_to_a_file"),
    },
    Defence {
        name: "the host's view of code and constants is read-only",
        file: "memory.rs",
        text: r"        if !region.access.contains(ProtFlags::WRITE) {
            self.alias",
        instead: r"        if false {
            self.alias",
        is_basic: false,
        test: Test::Runtime("every_page_has_its_key"),
    },
    Defence {
        name: "the host cannot write code and constants through its view",
        file: "memory.rs",
        text: "            _ => Err(Error::ReadOnly { address, len }),",
        instead: "            _ => Ok(()),",
        is_basic: false,
        test: Test::Escape("views::the_host_writes_code_for_it"),
    },
    Defence {
        name: "keys are freed after the memory that has them",
        file: "engine.rs",
        text: r"    memory: Memory,
    /// Dropped after the memory that has it.
    key: Option<DomainKey>,
",
        instead: r"    key: Option<DomainKey>,
    memory: Memory,
",
        is_basic: true,
        test: Test::Runtime("workers_end_before_and_keys_after_the_memory_that_has_them"),
    },
    Defence {
        name: "the host's code is scanned",
        file: "gadgets/code.rs",
        text: "pub(crate) fn check_process() -> Result<()> {\n",
        instead: r"pub(crate) fn check_process() -> Result<()> {
    changes::looked(changes::epoch());
    if Linked::now().additions != 0 {
        return Ok(());
    }
",
        is_basic: false,
        test: Test::Escape("gadgets::loaded_by_the_host_before"),
    },
    Defence {
        name: "the host's code is scanned again after each dlopen",
        file: "gadgets/code.rs",
        text: "    changes::wait(must_stop)?;\n    check_process()\n",
        instead: "    let _ = must_stop;\n    changes::looked(changes::epoch());\n    Ok(())\n",
        is_basic: false,
        test: Test::Escape("gadgets::loaded_by_the_host_later"),
    },
    Defence {
        name: "scan results are discarded after an unload",
        file: "gadgets/code.rs",
        text: "    if linked.removals != seen.linked.removals {\n",
        instead: "    if false {\n",
        is_basic: false,
        test: Test::Escape("changes::a_library_in_anothers_place"),
    },
    Defence {
        name: "scan results are discarded where the host changed code",
        file: "gadgets/code.rs",
        text: "    let _ = record.with(|seen| seen.regions.retain(|region| is_apart(&region.range)));\n",
        instead: "    let _ = is_apart;\n",
        is_basic: false,
        test: Test::Escape("changes::a_page_made_executable_again"),
    },
    Defence {
        name: "code that the host maps is scanned",
        file: "gadgets/executable.rs",
        text: "    access & libc::PROT_EXEC != 0\n",
        instead: "    access < 0\n",
        is_basic: false,
        test: Test::Escape("changes::a_page_made_executable"),
    },
    Defence {
        name: "code that a signal handler maps during entry is scanned",
        file: "handler.rs",
        text: "    let held = thread.and_then(hold_back);\n",
        instead: "    let held: Option<&GateContext> = None;\n",
        is_basic: false,
        test: Test::Escape("changes::a_page_made_executable_by_a_handler_on_the_way_in"),
    },
    Defence {
        name: "signal handlers call no foreign code",
        file: "threads.rs",
        text: "        let handlers = self.handlers.load(Ordering::Relaxed);\n",
        instead: "        let handlers = 0;\n",
        is_basic: false,
        test: Test::Thread("handlers_call_no_foreign_code"),
    },
    Defence {
        name: "of two handlers during entry that map code, none waits for the other",
        file: "handler.rs",
        text: r"    if changes::rest(context.key.load(Ordering::Relaxed)) {
        return None;
    }
",
        instead: "",
        is_basic: false,
        test: Test::Thread("two_handlers_on_the_way_in_that_change_code_wait_for_neither"),
    },
    Defence {
        name: "the gate refuses entry after a handler changed code",
        file: "gate.S",
        text: r"    cmp dword ptr [rbx + {IS_BARRED}], 0
    jne omniglot_keyed_stopped
",
        instead: "    cmp dword ptr [rbx + {IS_BARRED}], 0\n",
        is_basic: false,
        test: Test::Escape("changes::a_page_made_executable_by_a_handler_on_the_way_in"),
    },
    Defence {
        name: "signals are blocked in the runtime's own handler",
        file: "signals.rs",
        text: "    set_first_word(&mut action.sa_mask, u64::MAX);\n",
        instead: r"    // SAFETY: the set is a field of a local variable.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
",
        is_basic: false,
        test: Test::Thread("nothing_interrupts_our_handlers"),
    },
    Defence {
        name: "code that the host moves is scanned",
        file: "gadgets/executable.rs",
        text: "    address(if changes_code { change(call, new_size) } else { call() })\n",
        instead: "    let _ = (changes_code, new_size);\n    address(call())\n",
        is_basic: false,
        test: Test::Escape("changes::a_page_moved_over_one_that_was_seen"),
    },
    Defence {
        name: "executable memory is not writable at another address",
        file: "gadgets/code.rs",
        text: "        self.access.contains('s') || self.name.starts_with(\"/memfd:\")\n",
        instead: "        self.access.is_empty()\n",
        is_basic: false,
        test: Test::Escape("changes::a_page_that_is_written_elsewhere"),
    },
    Defence {
        name: "the dynamic linker reports what it loads",
        file: "gadgets/linker.rs",
        text: "        unsafe { patch::divert(function, on_change as *const () as usize, unknown()) }?;\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("changes::a_library_loaded_during_a_call"),
    },
    Defence {
        name: "threads in foreign code stop while code changes",
        file: "gadgets/changes.rs",
        text: "            if !kick(thread) {\n",
        instead: "            if thread != 0 {
                break;
            }
            if !kick(thread) {
",
        is_basic: false,
        test: Test::Escape("changes::a_page_made_executable_during_a_call"),
    },
    Defence {
        name: "scan results are discarded when code is loaded where the host had other code",
        file: "gadgets/code.rs",
        text: "    if linked.additions != seen.linked.additions && HOSTS_OWN.load(SeqCst) {\n",
        instead: "    if false {\n",
        is_basic: false,
        test: Test::Escape("changes::a_library_where_a_page_was"),
    },
    Defence {
        name: "scan results are keyed by file, too",
        file: "gadgets/code.rs",
        text: "            Ok(ExecutableRange { range: line.range, file: line.file })\n",
        instead: "            let _ = line.file;\n            Ok(ExecutableRange { range: line.range, file: (0, 0, 0) })\n",
        is_basic: false,
        test: Test::Escape("changes::a_library_where_an_unknown_page_was"),
    },
    Defence {
        name: "libraries whose code is relocated are refused",
        file: "gadgets/code.rs",
        text: "    linker::check_relocations()?;\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("changes::a_library_whose_code_is_relocated_during_a_call"),
    },
    Defence {
        name: "a scan notices a change by a handler that interrupts it, which does not wait",
        file: "gadgets/code.rs",
        text: "    if record.is_own() {\n        return record.is_missed.store(true, SeqCst);\n    }\n",
        instead: "",
        is_basic: false,
        test: Test::Runtime("a_handler_makes_memory_executable_during_a_look"),
    },
    Defence {
        name: "moving data scans no code",
        file: "gadgets/executable.rs",
        text: "!code::is_watched() || may_be_executable(start.addr(), size);\n",
        instead: "size != usize::MAX;\n",
        is_basic: false,
        test: Test::Runtime("moving_data_looks_at_no_code"),
    },
    Defence {
        name: "forked children have records and locks of their own",
        file: "../generation.rs",
        text: "unsafe { before.as_ref() }.filter(|own| own.generation == generation) {\n",
        instead: "unsafe { before.as_ref() } {\n",
        is_basic: false,
        test: Test::Runtime("a_child_that_is_forked_during_a_look_can_make_memory_executable"),
    },
    Defence {
        name: "probing children are asked again after a filter changes",
        file: "identity.rs",
        text: "        YES if filters == Some(found >> 2) => Ok(true),\n",
        instead: "        YES => Ok(true),\n",
        is_basic: false,
        test: Test::Runtime("a_filter_that_comes_after_the_first_call_is_asked_again"),
    },
    Defence {
        name: "probing children run no signal handler of the host",
        file: "identity.rs",
        text: "    let child = masks::with_all_blocked(|| {\n",
        instead: "    let child = (|try_it: &dyn Fn() -> i64| try_it())(&|| {\n",
        is_basic: false,
        test: Test::Runtime("a_trial_runs_no_handler_of_the_hosts"),
    },
    Defence {
        name: "the runtime's handler calls the C library's own handlers",
        file: "signals.rs",
        text: "    kernel_signals::put(signal, &action, places::signal(), u64::from(flags.cast_unsigned()))\n",
        instead: "    let _ = flags;\n    Ok(())\n",
        is_basic: false,
        test: Test::Thread("the_c_librarys_own_signals_are_handled_as_all_others"),
    },
    Defence {
        name: "threads that enter are not cancelled",
        file: "threads.rs",
        text: "        kernel_signals::forbid_cancellation();\n",
        instead: "",
        is_basic: false,
        test: Test::Thread("a_thread_that_entered_is_not_cancelled"),
    },
    Defence {
        name: "a child in its parent's memory does not change the parent's handler records",
        file: "signals.rs",
        text: "    if generation::is_in_parents_memory() {\n        // The records here",
        instead: "    if false {\n        // The records here",
        is_basic: false,
        test: Test::Thread("a_child_in_its_parents_memory_changes_no_handlers_of_the_parents"),
    },
    Defence {
        name: "new code is scanned together with adjacent code",
        file: "gadgets/code.rs",
        text: "    ranges(executable.iter().filter(touches))\n",
        instead: "    let _ = touches;\n    fresh\n",
        is_basic: false,
        test: Test::Escape("gadgets::across_mappings_of_the_host"),
    },
    Defence {
        name: "the host's code is not writable",
        file: "gadgets/code.rs",
        text: "        if self.access.contains('w') {\n",
        instead: "        if self.access.is_empty() {\n",
        is_basic: false,
        test: Test::Escape("gadgets::writable_code_of_the_host"),
    },
    Defence {
        name: "the mask of the dynamic linker's XRSTOR is checked after it",
        file: "gadgets/patch.rs",
        text: "code.extend_from_slice(&[0x75, JUMP_LENGTH as u8]);",
        instead: "code.extend_from_slice(&[0x75, 0]);",
        is_basic: false,
        test: Test::Escape("rights::by_the_dynamic_linker"),
    },
    Defence {
        name: "the C library's WRPKRU is replaced",
        file: "gadgets/code.rs",
        text: "Some(Known::PkeySet) => emulate(address)?,",
        instead: "Some(Known::PkeySet) => CHECKED.add(address),",
        is_basic: false,
        test: Test::Escape("rights::by_the_c_library"),
    },
    Defence {
        name: "the replacement of WRPKRU works for the host only",
        file: "handler.rs",
        text: "blocked != 0 || is_in_gate(place) || is_near_region(context, place)",
        instead: "(blocked != 0 || is_in_gate(place)) && !code::is_emulated(place)",
        is_basic: false,
        test: Test::Escape("rights::by_the_c_library"),
    },
    Defence {
        name: "entry: the key's number has four bits",
        file: "gate.S",
        text: r"omniglot_write_on_entry:
    wrpkru
    cmp r10, 15                         # all 64 bits: foreign code may have set them
    ja omniglot_die
",
        instead: r"omniglot_write_on_entry:
    wrpkru
",
        is_basic: false,
        test: Test::Escape("gate::write_on_entry_with_a_key_that_leads_home"),
    },
    Defence {
        name: "entry: the rights are the key's",
        file: "gate.S",
        text: r"    cmp eax, [r9 + r10 * 4 + {SHARED_RIGHTS}]
    jne omniglot_die
# Up",
        instead: "# Up",
        is_basic: false,
        test: Test::Escape("rights::enter_oneself_with_all_open"),
    },
    Defence {
        name: "entry: the thread is the one that runs the domain",
        file: "gate.S",
        text: r"    cmp ecx, [r9 + r10 * 4 + {SHARED_RUNNERS}]
    jne omniglot_die
# All",
        instead: "# All",
        is_basic: false,
        test: Test::Escape("rights::enter_another"),
    },
    Defence {
        name: "vector registers are cleared",
        file: "gate.S",
        text: "    jz 2f\n    vzeroall\n",
        instead: "    jz 2f\n    nop\n",
        is_basic: false,
        test: Test::Escape("registers::secrets_of_the_host"),
    },
    Defence {
        name: "x87 and MMX registers are cleared",
        file: "gate.S",
        text: r"    clear_multimedia_registers
    test ecx, {KEEPS_OPERAND}
    jnz 6f
    fld dword ptr [rip + omniglot_zero]
    fstp st(0)
",
        instead: "    test ecx, {KEEPS_OPERAND}\n    emms\n",
        is_basic: false,
        test: Test::Escape("registers::secrets_of_the_host"),
    },
    Defence {
        name: "domains can access only their own key and read the shared page",
        file: "shared_page.rs",
        text: "!(1 << (2 * self.key))",
        instead: "!(3 << (2 * self.key))",
        is_basic: false,
        test: Test::Escape("rights::as_the_library_reads_them"),
    },
    Defence {
        name: "the shared page is mapped read-only",
        file: "keys.rs",
        text: "    unsafe { tag(places::shared(), SHARED_SIZE, ProtFlags::READ, key) }?;",
        instead: "    unsafe { tag(places::shared(), SHARED_SIZE, both, key) }?;",
        is_basic: false,
        test: Test::Runtime("every_page_has_its_key"),
    },
    Defence {
        name: "exit: the key's number has four bits",
        file: "gate.S",
        text: r"omniglot_write_on_exit:
    wrpkru
    cmp r11, 15
    ja omniglot_die
",
        instead: r"omniglot_write_on_exit:
    wrpkru
",
        is_basic: false,
        test: Test::Escape("rights::leave_by_a_record_of_ones_own"),
    },
    Defence {
        name: "exit: the rights are the host thread's",
        file: "gate.S",
        text: r"    cmp eax, [r9 + r11 * 4 + {SHARED_HOST}]
    jne omniglot_die
",
        instead: "",
        is_basic: false,
        test: Test::Escape("rights::leave_with_all_open"),
    },
    Defence {
        name: "exit: the thread is the one that runs the domain",
        file: "gate.S",
        text: r"    cmp ecx, [r9 + r11 * 4 + {SHARED_RUNNERS}]
    jne omniglot_die
",
        instead: "",
        is_basic: false,
        test: Test::Escape("colluding::out_on_two_threads"),
    },
    Defence {
        name: "exit: before the last check a signal finds foreign code, whatever PKRU is",
        file: "handler.rs",
        text: "        if is_keyed && places::unchecked().contains(&place) {\n",
        instead: r"        if is_keyed && places::unchecked().contains(&place) && self.has_hosts_rights() {
            return AS_IT_WAS;
        }
        if is_keyed && places::unchecked().contains(&place) {
",
        is_basic: false,
        test: Test::Escape("ambushes::signal_behind_each_jump_without_a_signal_stack"),
    },
    Defence {
        name: "exit: after the last check a signal finds the host only with its rights",
        file: "handler.rs",
        text: "places::checked().contains(&place) && self.has_hosts_rights() {\n",
        instead: "places::checked().contains(&place) {\n",
        is_basic: false,
        test: Test::Escape("ambushes::signal_behind_each_jump_without_a_signal_stack"),
    },
    Defence {
        name: "a domain outside of a call has no running thread",
        file: "keys.rs",
        text: "        self.key.page.set_runner(self.key.number, NOBODY);\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("colluding::out_by_an_idle_ones_way"),
    },
    Defence {
        name: "exit restores the host's FS base",
        file: "gate.S",
        text: r"    mov rax, [r11 + {HOST_THREAD}]
    wrfsbase rax
1:  mov eax, r10d
",
        instead: "1:  mov eax, r10d\n",
        is_basic: true,
        test: Test::Escape("registers::nothing_at_return"),
    },
    Defence {
        name: "exit restores the host's GS base",
        file: "gate.S",
        text: r"    mov rcx, [r11 + {HOST_SEGMENT}]
    wrgsbase rcx
2:  pushfq
",
        instead: "2:  pushfq\n",
        is_basic: false,
        test: Test::Escape("registers::gs_base_at_return"),
    },
    Defence {
        name: "exit restores the host's flags",
        file: "gate.S",
        text: r"    popfq
3:  ldmxcsr [rsp]
    fnstcw [rsp + 6]
",
        instead: r"    pop rcx
3:  ldmxcsr [rsp]
    fnstcw [rsp + 6]
",
        is_basic: false,
        test: Test::Escape("registers::direction_flag_at_return"),
    },
    Defence {
        name: "exit empties the x87 registers",
        file: "gate.S",
        text: r"    emms
    jmp omniglot_back
4:  fninit
",
        // Both ways, of which QEMU takes the second.
        instead: r"    jmp omniglot_back
4:
",
        is_basic: true,
        test: Test::Escape("registers::float_stack_at_return"),
    },
    Defence {
        name: "exit restores the host's x87 control word",
        file: "gate.S",
        text: r"4:  fninit
    fldcw [rsp + 4]
    jmp omniglot_back
",
        instead: "4:  jmp omniglot_back\n",
        is_basic: false,
        test: Test::Escape("registers::float_rounding_at_return"),
    },
    Defence {
        name: "exit restores the host's MXCSR",
        file: "gate.S",
        text: r"3:  ldmxcsr [rsp]
    fnstcw [rsp + 6]
",
        instead: "3:  fnstcw [rsp + 6]\n",
        is_basic: false,
        test: Test::Escape("registers::rounding_at_return"),
    },
    Defence {
        name: "the write of the rights for signal code checks the cookie",
        file: "gate.S",
        text: r"    cmp r10, [rip + {COOKIE}]
    jne omniglot_die
    xor r10d, r10d
    mov rdx, r11
",
        instead: "    mov rdx, r11\n",
        is_basic: false,
        test: Test::Escape("rights::come_back_from_the_signal_code"),
    },
    Defence {
        name: "the write of the rights for the host checks the cookie",
        file: "gate.S",
        text: r"    cmp r10, [rip + {COOKIE}]
    jne omniglot_die
    xor r10d, r10d
    ret
",
        instead: "    ret\n",
        is_basic: false,
        test: Test::Escape("gate::write_for_host_all_open"),
    },
    Defence {
        name: "return from a signal: the key's number has four bits",
        file: "gate.S",
        text: r"omniglot_write_on_resume:
    wrpkru
    cmp r10, 15                         # all 64 bits: foreign code may have set them
    ja omniglot_die
",
        instead: r"omniglot_write_on_resume:
    wrpkru
",
        is_basic: false,
        test: Test::Escape("gate::write_on_resume_with_a_key_that_leads_home"),
    },
    Defence {
        name: "return from a signal: the rights are the key's",
        file: "gate.S",
        text: r"    cmp eax, [r9 + r10 * 4 + {SHARED_RIGHTS}]
    jne omniglot_die
    mov ecx, {IDENTITY}                 # as on entry
",
        instead: "    mov ecx, {IDENTITY}                 # as on entry\n",
        is_basic: false,
        test: Test::Escape("rights::go_on_with_all_open"),
    },
    Defence {
        name: "return from a signal: the thread is the one that runs the domain",
        file: "gate.S",
        text: r"    cmp ecx, [r9 + r10 * 4 + {SHARED_RUNNERS}]
    jne omniglot_die
    mov rsi",
        instead: "    mov rsi",
        is_basic: false,
        test: Test::Escape("rights::go_on_as_another"),
    },
    Defence {
        name: "return from a signal: system calls are switched off",
        file: "gate.S",
        text: r"omniglot_keyed_resume:
    mov byte ptr [rdi], 1
",
        instead: "omniglot_keyed_resume:\n",
        is_basic: false,
        test: Test::Escape("signals::a_system_call_after_handlers"),
    },
    Defence {
        name: "return from a signal: the registers are of the same run",
        file: "handler.rs",
        text: "            && self.context.is_saved.load(Ordering::Relaxed)\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("registers::of_an_earlier_life"),
    },
    Defence {
        name: "a reset changes the domain's canary",
        file: "engine.rs",
        text: "        self.renew_canary()?;\n",
        instead: "",
        is_basic: false,
        test: Test::Thread("lives_share_only_what_is_stated"),
    },
    Defence {
        name: "threads outside of foreign code are not interrupted",
        file: "engine.rs",
        text: "        context.thread_id.store(0, Release);\n",
        instead: "",
        is_basic: false,
        test: Test::Thread("who_is_not_in_foreign_code_gets_no_signal"),
    },
    Defence {
        name: "assigning a thread number preserves the FS base",
        file: "gate.S",
        text: "    wrfsbase r12\n    wrgsbase r13\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("forks::with_the_threads_descriptor_in_fs"),
    },
    Defence {
        name: "only the runtime's own children are reaped",
        file: "identity.rs",
        text: "        ..0 => Err(Error::System { operation: \"a child that tries\", errno: last_error() }),\n",
        instead: "",
        is_basic: false,
        test: Test::Runtime("a_trial_that_cannot_be_made_touches_no_child_of_the_hosts"),
    },
    Defence {
        name: "EINTR does not count as lack of thread numbers",
        file: "identity.rs",
        text: "        if waited >= 0 || last_error() != libc::EINTR {\n",
        instead: "        if waited >= 0 || last_error() != 0 {\n",
        is_basic: false,
        test: Test::Runtime("a_trial_that_is_interrupted_is_waited_for"),
    },
    Defence {
        name: "a handler's forked child has pages for the writes of its parent's call",
        file: "handler.rs",
        text: "        thread.stand_in();\n",
        instead: "        let _ = thread;\n",
        is_basic: false,
        test: Test::Escape("births::a_fork_at_every_instruction"),
    },
    Defence {
        name: "without thread numbers, one thread at a time runs foreign code",
        file: "identity.rs",
        text: "        if identity == ANYBODY {",
        instead: "        if identity == FREE {",
        is_basic: false,
        test: Test::Runtime("domains_take_turns_where_threads_have_no_numbers"),
    },
    Defence {
        name: "entry switches system calls off",
        file: "gate.S",
        text: r"    mov byte ptr [r11], 1
    mov eax, [rbx + {FOREIGN_RIGHTS}]
",
        instead: "    mov eax, [rbx + {FOREIGN_RIGHTS}]\n",
        is_basic: true,
        test: Test::Escape("jumps::to_the_hosts_system_call_for_fork"),
    },
    Defence {
        name: "the kernel reads the selector that the gate writes, in forked children, too",
        file: "threads.rs",
        text: "        if self.keyed.load(Ordering::Relaxed) == self.generation.load(Ordering::Relaxed) {\n",
        instead: "        if self.keyed.load(Ordering::Relaxed) != 0 {\n",
        is_basic: false,
        test: Test::Escape("forks::with_an_instance_of_the_childs_own"),
    },
    Defence {
        name: "threads have a record before they have a signal stack",
        file: "threads.rs",
        text: "    open_slot(slot)?;\n",
        instead: "    open_slot(slot)?;
    alternate_stack::set(slot + page_size(), SLOT - RECORD - page_size())?;\n",
        is_basic: false,
        test: Test::Thread("the_first_call_of_a_thread_and_its_end_can_be_interrupted_anywhere"),
    },
    Defence {
        name: "handlers: a forked child's selector is in memory that it has",
        file: "gate.S",
        text: "    cmove r13, [rbx + {THREAD_SELECTOR}]\n",
        instead: "    mov r13, [rbx + {THREAD_SELECTOR}]\n",
        is_basic: false,
        test: Test::Thread("handlers_of_the_host_run_in_a_forked_child"),
    },
    Defence {
        name: "a handler's forked child does not resume foreign code",
        file: "handler.rs",
        text: "        if self.thread.is_copied() {\n            // The handler forked",
        instead: "        if false {\n            // The handler forked",
        is_basic: false,
        test: Test::Thread("a_handler_in_the_midst_of_foreign_code_forks"),
    },
    Defence {
        name: "signal stacks disarm themselves",
        file: "alternate_stack.rs",
        text: "        ss_flags: AUTODISARM,\n",
        instead: "        ss_flags: 0,\n",
        is_basic: false,
        test: Test::Escape("stacks::near_the_bottom_of_the_signal_stack_then_undefined"),
    },
    Defence {
        name: "signal stacks stay in place while threads end",
        file: "threads.rs",
        text: "    let Some(thread) = (unsafe { current.as_ref() }) else {\n",
        instead: "    let Some(thread) = (unsafe { current.as_ref() }).filter(|_| new.is_null()) else {\n",
        is_basic: false,
        test: Test::Escape("signals::fault_in_a_thread_local_that_is_dropped_first"),
    },
    Defence {
        name: "faults are unblocked on threads that enter",
        file: "threads.rs",
        text: "    masks::unblock()?;\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("signals::all_blocked_before_the_first_call_then_fault"),
    },
    Defence {
        name: "faults stay unblocked on threads that entered",
        file: "sigmask.rs",
        text: "        _ => word & !(INTERNAL | kept),\n",
        instead: "        _ => word & !INTERNAL,\n",
        is_basic: false,
        test: Test::Escape("signals::all_blocked_then_fault"),
    },
    Defence {
        name: "the runtime's handler calls earlier handlers",
        file: "signals.rs",
        text: "        if is_ours(signal) || is_function(&action) {\n",
        instead: "        if is_ours(signal) {\n",
        is_basic: false,
        test: Test::Escape("signals::earlier_handler_that_makes_system_calls"),
    },
    Defence {
        name: "the runtime's handler calls handlers that were installed later",
        file: "signals.rs",
        text: "    if handle(signal, new).is_ok() { 0 } else { -1 }\n",
        instead: r"    // SAFETY: as the caller promises.
    unsafe { kernel_sigaction(signal, std::ptr::from_ref(new), null_mut()) }
",
        is_basic: false,
        test: Test::Escape("signals::later_handler_that_makes_system_calls"),
    },
    Defence {
        name: "sent signals do not count as faults of the library",
        file: "handler.rs",
        text: "            signal if FAULTS.contains(&signal) && !sent => self.fault(signal),\n",
        instead: "            signal if FAULTS.contains(&signal) => self.fault(signal),\n",
        is_basic: false,
        test: Test::Escape("signals::sent_ones_are_the_hosts"),
    },
    Defence {
        name: "handlers run with the host's FS base",
        file: "gate.S",
        text: r"    mov rax, [rbx + {THREAD_POINTER}]
    wrfsbase rax
",
        instead: "    mov rax, [rbx + {THREAD_POINTER}]\n",
        is_basic: true,
        test: Test::Escape("registers::fs_base_null_at_a_fault"),
    },
    Defence {
        name: "handlers run with system calls switched on",
        file: "gate.S",
        text: "    mov byte ptr [r13], 0\n",
        instead: "",
        is_basic: true,
        test: Test::Escape("signals::earlier_handler_that_makes_system_calls"),
    },
    Defence {
        name: "handlers run with a clear nested task flag",
        file: "gate.S",
        text: "    and dword ptr [rsp], ~0x44000       # alignment check, nested task\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("signals::while_nested_task_flag"),
    },
    Defence {
        name: "the host has its own rights after a fault",
        file: "handler.rs",
        text: r"            self.frame.set_rights(rights);
        }
    }
}",
        instead: r"            let _ = rights;
        }
    }
}",
        is_basic: true,
        test: Test::Escape("registers::nothing_at_a_fault"),
    },
    Defence {
        name: "restartable sequences are unregistered",
        file: "threads.rs",
        text: "        unregister_sequences()?;\n",
        instead: "",
        is_basic: true,
        test: Test::Escape("signals::preempted"),
    },
    Defence {
        name: "forked children cannot call their parent's domains",
        file: "../generation.rs",
        text: "        Some(word) if word.load(Ordering::Relaxed) == generation => Ok(()),\n",
        instead: "        Some(_) => Ok(()),\n",
        is_basic: false,
        test: Test::Escape("forks::between_calls"),
    },
    Defence {
        name: "forked children lack the domains' memory",
        file: "memory.rs",
        text: "        keep_from_children(range) // again, since these are other mappings\n",
        instead: "        Ok(())\n",
        is_basic: false,
        test: Test::Escape("forks::the_child_has_none_of_the_memory"),
    },
    Defence {
        name: "forked children lack the host's view of it",
        file: "memory.rs",
        text: "        alias.keep_from_children(reservation.generation)?;\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("forks::the_child_has_none_of_the_memory"),
    },
    Defence {
        name: "forked children lack the shared page",
        file: "keys.rs",
        text: "    unsafe { keep_from_children(place) }?;\n",
        instead: "",
        is_basic: false,
        test: Test::Escape("forks::the_child_has_none_of_the_memory"),
    },
    Defence {
        name: "pages are emptied for the server only where foreign code can write all of them",
        file: "syscalls.rs",
        text: "        if !is_whole || offset < start || offset > end || len > end - offset {\n",
        instead: "        if !is_whole {\n            let _ = (start, end);\n",
        is_basic: false,
        test: Test::Ask("only_memory_that_is_given_out_is_taken_back"),
    },
    Defence {
        name: "calls nest only as deep as the host's stack allows",
        file: "engine.rs",
        text: "        if !thread.has_stack(HOST_STACK) {\n",
        instead: "        if !thread.has_stack(0) {\n",
        is_basic: false,
        test: Test::Escape("nesting::to_the_limit_on_192_kib"),
    },
    Defence {
        name: "verified: the code is verified",
        file: "sfi/image.rs",
        text: "        let uses = verify_text(&file, &segments)?;\n",
        instead: "        let uses = Uses::default();\n",
        is_basic: false,
        test: Test::Region("attacks::images_with_forbidden_code_are_refused"),
    },
    Defence {
        name: "verified: foreign code cannot write its base",
        file: "sfi/memory.rs",
        text: "        self.protect(&place)\n",
        instead: "        Ok(())\n",
        is_basic: false,
        test: Test::Region("attacks::wild_addresses_stay_inside"),
    },
    Defence {
        name: "verified: a guard below the stack",
        file: "sfi/memory.rs",
        text: "        let guard = image_end..image_end + STACK_GUARD;\n",
        instead: "        let guard = image_end..image_end;\n",
        is_basic: false,
        test: Test::Region("ends::a_stack_that_runs_over_is_named"),
    },
    Defence {
        name: "verified: a reset discards what was written",
        file: "sfi/memory.rs",
        text: "        self.writable.iter().try_for_each(|range| self.discard(range))\n",
        instead: "        Ok(())\n",
        is_basic: false,
        test: Test::Region("lives::a_reset_leaves_nothing"),
    },
    Defence {
        name: "verified: entry clears vector registers",
        file: "gate.S",
        text: "    vzeroall\n    jmp 5f\n3:  clear_sse\n5:  ldmxcsr [rbx + {NEXT} + {MXCSR}]\n",
        instead: "    jmp 5f\n3:\n5:  ldmxcsr [rbx + {NEXT} + {MXCSR}]\n",
        is_basic: false,
        test: Test::Region("calls::registers_hold_nothing_of_the_hosts"),
    },
    Defence {
        name: "verified: exit restores MXCSR",
        file: "gate.S",
        text: "1:  ldmxcsr [rsp]\nomniglot_sfi_back:\n",
        instead: "1:\nomniglot_sfi_back:\n",
        is_basic: false,
        test: Test::Region("calls::the_hosts_floating_point_stays"),
    },
    Defence {
        name: "verified: exit restores a base of the host's",
        file: "gate.S",
        text: "    cmp qword ptr [r11 + {HOST_SEGMENT}], 0\n    jne 3f\n2:  back\n",
        instead: "2:  back\n",
        is_basic: false,
        test: Test::Region("calls::the_hosts_gs_base_stays"),
    },
    Defence {
        name: "verified: a return leaves the innermost call",
        file: "execution.rs",
        text: "            if event == RETURNED && stack == began {\n",
        instead: "            if event == RETURNED {\n",
        is_basic: false,
        test: Test::Region("calls::leaving_for_an_outer_call_is_told"),
    },
    Defence {
        name: "verified: handlers call no foreign code",
        file: "sfi/engine.rs",
        text: "        thread.check_outside()?;\n        if !thread.has_stack(HOST_STACK) {\n",
        instead: "        if !thread.has_stack(HOST_STACK) {\n",
        is_basic: false,
        test: Test::Region("signals::a_handler_that_calls_is_refused"),
    },
    Defence {
        name: "verified: requests are answered where foreign code may write",
        file: "sfi/engine/serving.rs",
        text: "        self.check_writable(place, size_of::<u64>()).map_err(wrong)?;\n",
        instead: "",
        is_basic: false,
        test: Test::Region("layouts::no_request_is_answered_in_constants"),
    },
    Defence {
        name: "verified: the time of answers counts",
        file: "sfi/engine/serving.rs",
        text: "            let since = calls.time.is_limited().then(Instant::now);\n            let is_answered",
        instead: "            let since: Option<Instant> = None;\n            let is_answered",
        is_basic: false,
        test: Test::Region("ends::the_time_of_answers_counts"),
    },
    Defence {
        name: "verified: a base that a handler leaves is replaced",
        file: "handler.rs",
        text: "        set_base_of_gs(before);\n",
        instead: "",
        is_basic: false,
        test: Test::Region("signals::verified_code_keeps_its_base"),
    },
];
