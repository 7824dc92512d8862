//! eSpeak NG converts text to phonemes.

use std::ffi::c_char;

use anyhow::{Result, ensure};
use omniglot::{Error, Permission, Ptr, Runtime};
use real_subject::{subject, tool};

omniglot::include_library!("espeak");

subject! {
    ESPEAK: Espeak = "espeak-ng" from "libespeak-ng-dev",
    does: "says how a sentence is pronounced, with its data",
    confirmed: "the command `espeak-ng`, equal",
    builder: |_input| [
        .directory(
            "/usr/lib/x86_64-linux-gnu/espeak-ng-data",
            "/usr/lib/x86_64-linux-gnu/espeak-ng-data"
        ),
        .allow(Permission::Threads(1))
    ],
    not_in_process: "it starts a thread",
    not_sandboxed: "pkg-config does not name pcaudio and sonic, which its archive needs",
}

fn input() -> Result<String> {
    Ok("Memory safety is merely table stakes for 21 bridges".to_owned())
}

fn run<R: Runtime>(espeak: &mut Espeak<R>, text: &String) -> omniglot::Result<String> {
    espeak.scope(|espeak| {
        // It is started once, since it cannot be started again after its end.
        let current = espeak.espeak_GetCurrentVoice()?;
        if espeak.follow(current, espeak_VOICE::NAME)?.is_null() {
            let voice = espeak.str("en")?;
            start(espeak, voice)?;
        }
        let text = espeak.str(text)?;
        let place = espeak.value(text.cast())?;
        let mut sounds = String::new();
        while !espeak.read(place)?.is_null() {
            let part = espeak.espeak_TextToPhonemes(place, espeakCHARS_UTF8, 2)?;
            sounds += &espeak.read_string(part, 10_000)?;
        }
        Ok(sounds)
    })
}

/// Its output is synchronous, so the caller's thread does the work. The other thread is idle.
fn start<R: Runtime>(espeak: &mut Api<R>, voice: Ptr<c_char>) -> omniglot::Result<()> {
    let output = espeak_AUDIO_OUTPUT::AUDIO_OUTPUT_SYNCHRONOUS;
    let started = espeak.espeak_Initialize(output, 0, Ptr::null(), 0)?;
    if started <= 0 || espeak.espeak_SetVoiceByName(voice)? != espeak_ERROR::EE_OK {
        return Err(Error::Misuse("there are no voices"));
    }
    Ok(())
}

fn confirm(text: &String, sounds: &String) -> Result<()> {
    let expected = String::from_utf8(tool("espeak-ng", &["-q", "--ipa", "-v", "en", text], &[])?)?;
    ensure!(sounds.trim() == expected.trim() && sounds.len() > 30, "{sounds}, not {expected}");
    Ok(())
}
