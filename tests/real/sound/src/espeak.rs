//! eSpeak NG converts text to phonemes.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{subject, tool};

omniglot::include_library!("espeak");

subject! {
    ESPEAK: Espeak = "espeak-ng" from "libespeak-ng-dev",
    does: "says how a sentence is pronounced, with its data",
    confirmed: "the command `espeak-ng`, equal",
    builder: |_input| [
        .directory("/usr/lib/x86_64-linux-gnu/espeak-ng-data", "/usr/lib/x86_64-linux-gnu/espeak-ng-data")
    ],
    refused: "it starts a thread, and ends the program if it cannot",
    not_in_process: "it reads its data",
}

fn input() -> Result<String> {
    Ok("Memory safety is merely table stakes for 21 bridges".to_owned())
}

fn run<R: Runtime>(espeak: &mut Espeak<R>, text: &String) -> omniglot::Result<String> {
    espeak.scope(|espeak| {
        // Synchronous output uses the caller's thread; other modes start threads, and fail if they
        // cannot.
        let output = espeak_AUDIO_OUTPUT::AUDIO_OUTPUT_SYNCHRONOUS;
        let voice = espeak.str("en")?;
        let started = espeak.espeak_Initialize(output, 0, Ptr::null(), 0)?;
        let chosen = espeak.espeak_SetVoiceByName(voice)?;
        if started <= 0 || chosen != espeak_ERROR::EE_OK {
            return Err(Error::Misuse("there are no voices"));
        }
        let text = espeak.str(text)?;
        let place = espeak.value(text.cast())?;
        let mut sounds = String::new();
        while !espeak.read(place)?.is_null() {
            let part = espeak.espeak_TextToPhonemes(place, espeakCHARS_UTF8, 2)?;
            sounds += &espeak.read_string(part, 10_000)?;
        }
        espeak.espeak_Terminate()?;
        Ok(sounds)
    })
}

fn confirm(text: &String, sounds: &String) -> Result<()> {
    let expected = String::from_utf8(tool("espeak-ng", &["-q", "--ipa", "-v", "en", text], &[])?)?;
    ensure!(sounds.trim() == expected.trim() && sounds.len() > 30, "{sounds}, not {expected}");
    Ok(())
}
