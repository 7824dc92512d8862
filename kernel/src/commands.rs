//! The console's commands.

use core::fmt::Write;
use core::ops::ControlFlow;

use omniglot_kernel_hardware::ticks;

use crate::domain::Failure;
use crate::services::network::Address;
use crate::text::Text;
use crate::{Kernel, sample, say};

/// A command: its name, its arguments, a description, and the function that runs it.
struct Command {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&mut Kernel, &str) -> Result<(), Trouble>,
}

/// Why a command failed.
enum Trouble {
    /// A service failed.
    Service(Failure),
    /// Its arguments are missing or wrong.
    Usage,
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Service(failure)
    }
}

type Outcome = Result<(), Trouble>;

const COMMANDS: &[Command] = &[
    Command { name: "help", arguments: "", about: "list the commands", run: help },
    Command { name: "domains", arguments: "", about: "list the foreign libraries", run: domains },
    Command { name: "hash", arguments: "TEXT", about: "BLAKE2b of a text", run: hash },
    Command { name: "seal", arguments: "TEXT", about: "encrypt a text, and decrypt it", run: seal },
    Command { name: "sign", arguments: "TEXT", about: "sign a text: Ed25519", run: sign },
    Command { name: "ecdsa", arguments: "TEXT", about: "sign a text: ECDSA, P-256", run: ecdsa },
    Command { name: "format", arguments: "", about: "make an empty file system", run: format },
    Command { name: "ls", arguments: "[DIRECTORY]", about: "list files", run: list },
    Command { name: "write", arguments: "NAME TEXT", about: "write a file", run: write },
    Command { name: "read", arguments: "NAME", about: "show a file", run: read },
    Command { name: "remove", arguments: "NAME", about: "remove a file", run: remove },
    Command { name: "inflate", arguments: "", about: "decompress a file", run: inflate },
    Command { name: "net", arguments: "", about: "show the network card's address", run: net },
    Command { name: "dhcp", arguments: "", about: "ask for an address", run: dhcp },
    Command { name: "ping", arguments: "A.B.C.D", about: "ask whether a host is there", run: ping },
    Command { name: "crash", arguments: "LIBRARY", about: "have a library crash", run: crash },
    Command { name: "restart", arguments: "LIBRARY", about: "start it again", run: restart },
    Command { name: "uptime", arguments: "", about: "show how long it runs", run: uptime },
];

/// Runs a line. Returns `Break` if the console should end.
pub fn run(kernel: &mut Kernel, line: &str) -> ControlFlow<()> {
    let line = line.trim();
    let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
    match name {
        "" => return ControlFlow::Continue(()),
        "exit" => return ControlFlow::Break(()),
        _ => {}
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        say(&mut kernel.uart, format_args!("there is no command {name}; `help` lists them"));
        return ControlFlow::Continue(());
    };
    match (command.run)(kernel, arguments.trim()) {
        Ok(()) => {}
        Err(Trouble::Service(failure)) => say(&mut kernel.uart, format_args!("{name}: {failure}")),
        Err(Trouble::Usage) => {
            say(&mut kernel.uart, format_args!("usage: {name} {}", command.arguments));
        }
    }
    ControlFlow::Continue(())
}

fn help(kernel: &mut Kernel, _: &str) -> Outcome {
    for Command { name, arguments, about, .. } in COMMANDS {
        say(&mut kernel.uart, format_args!("{name:8} {arguments:12} {about}"));
    }
    say(&mut kernel.uart, format_args!("{:8} {:12} end the machine (also Ctrl-D)", "exit", ""));
    Ok(())
}

fn domains(kernel: &mut Kernel, _: &str) -> Outcome {
    let uart = &mut kernel.uart;
    kernel.services.each(|name, about, trouble| match trouble {
        None => say(uart, format_args!("{name:12} running   ({about})")),
        Some(error) => say(uart, format_args!("{name:12} down      {error}")),
    });
    Ok(())
}

/// Returns an error if the argument is missing.
fn required(argument: &str) -> Result<&str, Trouble> {
    if argument.is_empty() { Err(Trouble::Usage) } else { Ok(argument) }
}

fn hash(kernel: &mut Kernel, text: &str) -> Outcome {
    let mut hash = [0; 64];
    kernel.services.cryptography.hash(text.as_bytes(), &mut hash)?;
    show(kernel, "BLAKE2b", &hash);
    Ok(())
}

fn seal(kernel: &mut Kernel, text: &str) -> Outcome {
    let (key, nonce) = (kernel.random()?, kernel.random()?);
    let (mut sealed, mut opened) = ([0; crate::console::LINE], [0; crate::console::LINE]);
    let text = text.as_bytes();
    let (Some(sealed), Some(opened)) = (sealed.get_mut(..text.len()), opened.get_mut(..text.len()))
    else {
        return Err(Failure::TooLarge.into());
    };
    let service = &mut kernel.services.cryptography;
    let mac = service.seal((&key, &nonce), &[], text, sealed)?;
    let good = service.open((&key, &nonce), &[], (sealed, &mac), opened)?;
    show(kernel, "sealed", sealed);
    show(kernel, "code", &mac);
    let same = good && opened == text;
    say(&mut kernel.uart, format_args!("opened again: {}", if same { "the same" } else { "no" }));
    Ok(())
}

fn sign(kernel: &mut Kernel, text: &str) -> Outcome {
    let seed = kernel.random()?;
    let service = &mut kernel.services.cryptography;
    let (public, signature) = service.sign(&seed, text.as_bytes())?;
    let good = service.is_signature(&signature, &public, text.as_bytes())?;
    show(kernel, "public key", &public);
    show(kernel, "signature", &signature);
    say(&mut kernel.uart, format_args!("checked: {}", if good { "good" } else { "bad" }));
    Ok(())
}

fn ecdsa(kernel: &mut Kernel, text: &str) -> Outcome {
    let mut digest = [0; 32];
    kernel.services.cryptography.hash(text.as_bytes(), &mut digest)?;
    let entropy = kernel.entropy.as_mut().ok_or(Failure::NoDevice)?;
    let service = &mut kernel.services.signatures;
    let (secret, public) = service.make_keys(&mut |bytes| entropy.fill(bytes))?;
    let signature = service.sign(&secret, &digest, &mut |bytes| entropy.fill(bytes))?;
    let good = service.is_signature(&signature, &public, &digest)?;
    show(kernel, "public key", &public);
    show(kernel, "signature", &signature);
    say(&mut kernel.uart, format_args!("checked: {}", if good { "good" } else { "bad" }));
    Ok(())
}

fn format(kernel: &mut Kernel, _: &str) -> Outcome {
    let (files, device) = kernel.files()?;
    Ok(files.format(device)?)
}

fn list(kernel: &mut Kernel, directory: &str) -> Outcome {
    let directory = if directory.is_empty() { "/" } else { directory };
    let mut lines = Text::<2048>::new();
    let (files, device) = kernel.files()?;
    files.list(device, directory, |entry| {
        let kind = if entry.is_directory { "/" } else { "" };
        // Lines that do not fit are omitted.
        let _ = writeln!(lines, "{:8} {}{kind}", entry.size, entry.name.escape_ascii());
    })?;
    let _ = kernel.uart.write_str(lines.as_str());
    Ok(())
}

fn write(kernel: &mut Kernel, arguments: &str) -> Outcome {
    let (name, text) = required(arguments)?.split_once(' ').unwrap_or((arguments, ""));
    let (files, device) = kernel.files()?;
    Ok(files.write(device, name, text.as_bytes())?)
}

fn read(kernel: &mut Kernel, name: &str) -> Outcome {
    let name = required(name)?;
    let mut text = Text::<4096>::new();
    let (files, device) = kernel.files()?;
    files.read(device, name, |bytes| {
        for byte in bytes {
            text.push(if byte.is_ascii() { char::from(*byte) } else { '?' });
        }
    })?;
    say(&mut kernel.uart, format_args!("{}", text.as_str()));
    Ok(())
}

fn remove(kernel: &mut Kernel, name: &str) -> Outcome {
    let name = required(name)?;
    let (files, device) = kernel.files()?;
    Ok(files.remove(device, name)?)
}

fn inflate(kernel: &mut Kernel, _: &str) -> Outcome {
    let len = kernel.services.compression.inflate(sample::PACKED, |_| {})?;
    let (name, packed) = (sample::NAME, sample::PACKED.len());
    say(&mut kernel.uart, format_args!("{name}: {packed} bytes are {len} decompressed"));
    Ok(())
}

fn net(kernel: &mut Kernel, _: &str) -> Outcome {
    let (card, network) = (&kernel.card, &mut kernel.services.network);
    if card.is_none() {
        return Err(Failure::NoDevice.into());
    }
    let ([a, b, c, d], leased) = network.address()?;
    let (from, count) = (if leased { " from DHCP" } else { "" }, network.connections());
    say(&mut kernel.uart, format_args!("{a}.{b}.{c}.{d}{from}, {count} connections"));
    Ok(())
}

fn dhcp(kernel: &mut Kernel, _: &str) -> Outcome {
    let card = kernel.card.as_mut().ok_or(Failure::NoDevice)?;
    kernel.services.network.start_dhcp(card)?;
    let end = kernel.clock.milliseconds() + 10_000;
    while kernel.clock.milliseconds() < end && !kernel.services.network.address()?.1 {
        kernel.turn_until(100, |_| false);
    }
    net(kernel, "")
}

fn ping(kernel: &mut Kernel, to: &str) -> Outcome {
    let to: Address = address(to).ok_or(Trouble::Usage)?;
    let card = kernel.card.as_mut().ok_or(Failure::NoDevice)?;
    kernel.services.network.ping(card, to)?;
    let answered = kernel.turn_until(3000, |kernel| kernel.services.network.is_answered());
    let words = if answered { "is there" } else { "does not answer" };
    let [a, b, c, d] = to;
    say(&mut kernel.uart, format_args!("{a}.{b}.{c}.{d} {words}"));
    Ok(())
}

/// Parses an address such as `10.0.2.2`.
fn address(text: &str) -> Option<Address> {
    text.parse::<core::net::Ipv4Addr>().ok().map(|address| address.octets())
}

fn crash(kernel: &mut Kernel, library: &str) -> Outcome {
    let outcome = kernel.services.crash(library).ok_or(Trouble::Usage)?;
    match outcome {
        Ok(()) => say(&mut kernel.uart, format_args!("{library} did not crash")),
        Err(failure) => say(&mut kernel.uart, format_args!("{library}: {failure}")),
    }
    Ok(())
}

fn restart(kernel: &mut Kernel, library: &str) -> Outcome {
    kernel.services.restart(library).ok_or(Trouble::Usage)??;
    say(&mut kernel.uart, format_args!("{library} runs again"));
    Ok(())
}

fn uptime(kernel: &mut Kernel, _: &str) -> Outcome {
    let milliseconds = kernel.clock.milliseconds();
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    say(&mut kernel.uart, format_args!("{seconds}.{rest:03} s, {} ticks of the timer", ticks()));
    Ok(())
}

/// Prints bytes as hexadecimal digits.
fn show(kernel: &mut Kernel, name: &str, bytes: &[u8]) {
    let mut digits = Text::<{ 2 * crate::console::LINE }>::new();
    for byte in bytes {
        // The digits fit: nothing that is shown is longer than a line.
        let _ = write!(digits, "{byte:02x}");
    }
    say(&mut kernel.uart, format_args!("{name}: {}", digits.as_str()));
}
