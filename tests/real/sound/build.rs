//! Generates bindings of the libraries that decode sound and video.

use omniglot_build::{Library, Result};

fn main() -> Result<()> {
    Library::new("opus")
        .header("opus.h")
        .pkg_config("opus")
        .allowlist_function("opus_(decoder_create|decode|decoder_destroy)")
        .sandboxed()
        .generate()?;
    Library::new("vorbis")
        .header("stdio.h")
        .header("vorbis/vorbisfile.h")
        .pkg_config("vorbisfile")
        .allowlist_function("ov_(open_callbacks|read|clear)")
        .sandboxed()
        .generate()?;
    Library::new("flac")
        .header("FLAC/stream_decoder.h")
        .pkg_config("flac")
        .allowlist_function("FLAC__stream_decoder_(new|init_stream|process_until_end_of_stream)")
        .allowlist_function("FLAC__stream_decoder_(finish|delete)")
        .sandboxed()
        .generate()?;
    Library::new("mpg123")
        .header("mpg123.h")
        .pkg_config("libmpg123")
        .allowlist_function("mpg123_(init|new|open_feed|feed|read|delete)")
        .allowlist_type("mpg123_errors")
        .generate()?;
    Library::new("avcodec")
        .header("libavcodec/avcodec.h")
        .pkg_config("libavcodec")
        .pkg_config("libavutil")
        .allowlist_function("avcodec_(find_decoder|alloc_context3|open2|send_packet)")
        .allowlist_function("avcodec_(receive_frame|free_context)|av_parser_(init|parse2|close)")
        .allowlist_function("av_(packet|frame)_(alloc|free)")
        .generate()?;
    Library::new("samplerate")
        .header("samplerate.h")
        .pkg_config("samplerate")
        .allowlist_function("src_simple")
        .allowlist_var("SRC_SINC_BEST_QUALITY")
        .generate()?;
    Library::new("espeak")
        .header("espeak-ng/speak_lib.h")
        .pkg_config("espeak-ng")
        .allowlist_function("espeak_(Initialize|SetVoiceByName|TextToPhonemes|GetCurrentVoice)")
        .allowlist_var("espeakCHARS_UTF8")
        .generate()
}
