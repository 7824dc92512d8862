//! GnuTLS talks to a server, through closures that move its bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Scratch, subject, tool};

omniglot::include_library!("gnutls");

subject! {
    GNUTLS: Gnutls = "gnutls" from "libgnutls28-dev",
    does: "checks a server's certificate and talks to it in TLS 1.3, through closures in Rust",
    confirmed: "the command `openssl` is the server, and answers in reverse",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of p11-kit, which it needs",
}

const NAME: &str = "stakes.example";
const TEXT: &str = "Memory safety is merely table stakes.";

/// A server that sends back each line in reverse, and its certificate.
#[derive(Debug)]
struct Server {
    process: Child,
    /// Kept open, since the server writes to it.
    _output: BufReader<ChildStdout>,
    address: String,
    certificate: Vec<u8>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended if this fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn input() -> Result<Server> {
    let scratch = Scratch::new()?;
    let (key, file) = (scratch.text("key.pem")?, scratch.text("cert.pem")?);
    let (subject, other) = (format!("/CN={NAME}"), format!("subjectAltName=DNS:{NAME}"));
    let options = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
    let rest = ["-subj", &subject, "-addext", &other, "-keyout", &key, "-out", &file];
    tool("openssl", &[&options[..], &rest].concat(), &[])?;
    let mut process = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-cert", &file, "-key", &key, "-rev"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("could not start openssl")?;
    let mut output = BufReader::new(process.stdout.take().context("it has no output")?);
    let mut line = String::new();
    let address = loop {
        line.clear();
        ensure!(output.read_line(&mut line)? > 0, "openssl does not serve");
        if let Some(address) = line.strip_prefix("ACCEPT ") {
            break address.trim().to_owned();
        }
    };
    Ok(Server { process, _output: output, address, certificate: scratch.read("cert.pem")? })
}

fn run<R: Runtime>(tls: &mut Gnutls<R>, server: &Server) -> omniglot::Result<Vec<u8>> {
    const NO: Error = Error::Misuse("GnuTLS says no");
    let stream = TcpStream::connect(&server.address);
    let stream = stream.map_err(|_| Error::Misuse("there is no server"))?;
    tls.scope(|tls| {
        let push = tls.callback::<gnutls_push_func>(|tls, (_, from, len)| {
            let bytes = tls.read_vec(from.cast::<u8>(), len)?;
            Ok((&stream).write(&bytes).map_or(-1, usize::cast_signed))
        })?;
        let pull = tls.callback::<gnutls_pull_func>(|tls, (_, into, len)| {
            let mut bytes = vec![0; len.min(1 << 14)];
            let Ok(count) = (&stream).read(&mut bytes) else { return Ok(-1) };
            let into = tls.upgrade_slice_mut(into.cast::<u8>(), count)?;
            tls.write_slice(into, &bytes[..count])?;
            Ok(count.cast_signed())
        })?;
        let place = tls.value(Ptr::null())?;
        let mut good = tls.gnutls_certificate_allocate_credentials(place)? == 0;
        let trusted = tls.read(place)?;
        let file = tls.copy_in(&server.certificate)?.as_ptr();
        let file =
            tls.value(gnutls_datum_t { data: file, size: server.certificate.len() as u32 })?;
        let format = gnutls_x509_crt_fmt_t::GNUTLS_X509_FMT_PEM;
        good &= tls.gnutls_certificate_set_x509_trust_mem(trusted, file, format)? == 1;
        let place = tls.value(Ptr::null())?;
        good &= tls.gnutls_init(place, GNUTLS_CLIENT.cast_unsigned())? == 0;
        let session = tls.read(place)?;
        let (kind, name) = (gnutls_credentials_type_t::GNUTLS_CRD_CERTIFICATE, tls.str(NAME)?);
        good &= tls.gnutls_set_default_priority(session)? == 0;
        good &= tls.gnutls_credentials_set(session, kind, trusted.cast())? == 0;
        tls.gnutls_session_set_verify_cert(session, name, 0)?;
        tls.gnutls_transport_set_push_function(session, push)?;
        tls.gnutls_transport_set_pull_function(session, pull)?;
        if !good || tls.gnutls_handshake(session)? != 0 {
            return Err(NO);
        }
        let version = tls.gnutls_protocol_get_version(session)?;
        let line = tls.copy_in(format!("{TEXT}\n").as_bytes())?;
        let answer = tls.zeroed::<u8>(100)?;
        tls.gnutls_record_send(session, line, line.len())?;
        // It also says so once it has read a ticket for another session.
        let len = loop {
            let len = tls.gnutls_record_recv(session, answer, 100)?;
            if len != GNUTLS_E_AGAIN as isize {
                break len;
            }
        };
        tls.gnutls_bye(session, gnutls_close_request_t::GNUTLS_SHUT_WR)?;
        tls.gnutls_deinit(session)?;
        tls.gnutls_certificate_free_credentials(trusted)?;
        let answer = usize::try_from(len).ok().and_then(|len| answer.range(0, len));
        match answer {
            Some(answer) if version == gnutls_protocol_t::GNUTLS_TLS1_3 => {
                Ok(tls.view_slice(answer)?.to_vec())
            }
            _ => Err(NO),
        }
    })
}

fn confirm(_: &Server, answer: &Vec<u8>) -> Result<()> {
    let expected: String = TEXT.chars().rev().chain(['\n']).collect();
    ensure!(answer == expected.as_bytes(), "{}", String::from_utf8_lossy(answer));
    Ok(())
}
