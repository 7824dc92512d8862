//! libavcodec decodes an H.264 video.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Picture, subject, tool};

omniglot::include_library!("avcodec");

subject! {
    AVCODEC: Avcodec = "libavcodec" from "libavcodec-dev",
    does: "decodes 20 pictures of a film in H.264",
    confirmed: "the command `ffmpeg`, which made the film, equal",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archives of many codecs that it needs",
}

const SIZE: (usize, usize) = (160, 120);

fn input() -> Result<Vec<u8>> {
    let still = Picture::new(SIZE.0, SIZE.1).pixels;
    let pictures = (0..20).flat_map(|number| {
        let shift = number * 9;
        [&still[shift..], &still[..shift]].concat()
    });
    let from = ["-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "160x120", "-i", "-"];
    let into = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "8", "-f", "h264", "-"];
    tool("ffmpeg", &[&from[..], &into].concat(), &pictures.collect::<Vec<_>>())
}

fn run<R: Runtime>(av: &mut Avcodec<R>, film: &Vec<u8>) -> omniglot::Result<Vec<u8>> {
    /// `AV_INPUT_BUFFER_PADDING_SIZE`: decoders may read this far beyond their input.
    const PADDING: usize = 64;
    let mut pictures = Vec::new();
    av.scope(|av| {
        let codec = av.avcodec_find_decoder(AVCodecID::AV_CODEC_ID_H264)?;
        let context = av.avcodec_alloc_context3(codec)?;
        if av.avcodec_open2(context, codec, Ptr::null())? < 0 {
            return Err(Error::Misuse("libavcodec has no decoder"));
        }
        let parser = av.av_parser_init(AVCodecID::AV_CODEC_ID_H264 as i32)?;
        let (packet, frame) = (av.av_packet_alloc()?, av.av_frame_alloc()?);
        let mut place = av.copy_in(&[film.as_slice(), &[0; PADDING]].concat())?.as_ptr();
        let (data, size) = (av.value(Ptr::null())?, av.value(0)?);
        let packet = av.upgrade_mut(packet)?;
        let mut rest = film.len() as i32;
        let none = i64::MIN;
        while rest >= 0 {
            // The last call has no input, which the parser takes as the end.
            let used =
                av.av_parser_parse2(parser, context, data, size, place, rest, none, none, 0)?;
            (place, rest) = (place.offset(used as isize), if rest == 0 { -1 } else { rest - used });
            if av.read(size)? > 0 {
                let (data, size) = (av.read(data)?, av.read(size)?);
                av.write(packet.field(AVPacket::DATA), data)?;
                av.write(packet.field(AVPacket::SIZE), size)?;
                av.avcodec_send_packet(context, packet)?;
                take(av, context, frame, &mut pictures)?;
            }
        }
        av.avcodec_send_packet(context, Ptr::null())?;
        take(av, context, frame, &mut pictures)?;
        av.av_parser_close(parser)?;
        let context = av.value(context)?;
        av.avcodec_free_context(context)
    })?;
    Ok(pictures)
}

/// Collects the decoded pictures.
fn take<R: Runtime>(
    av: &mut Api<R>,
    context: Ptr<AVCodecContext>,
    frame: Ptr<AVFrame>,
    pictures: &mut Vec<u8>,
) -> omniglot::Result<()> {
    while av.avcodec_receive_frame(context, frame)? == 0 {
        let data = av.follow(frame, AVFrame::DATA)?;
        let strides = av.follow(frame, AVFrame::LINESIZE)?;
        for (plane, halves) in [(0, 1), (1, 2), (2, 2)] {
            for row in 0..SIZE.1 / halves {
                let row = data[plane].offset(row as isize * strides[plane] as isize);
                pictures.extend(av.read_vec(row, SIZE.0 / halves)?);
            }
        }
    }
    Ok(())
}

fn confirm(film: &Vec<u8>, pictures: &Vec<u8>) -> Result<()> {
    let options =
        ["-v", "error", "-f", "h264", "-i", "-", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"];
    let expected = tool("ffmpeg", &options, film)?;
    ensure!(expected.len() == 20 * SIZE.0 * SIZE.1 * 3 / 2, "{} bytes", expected.len());
    ensure!(pictures == &expected, "the pictures differ");
    Ok(())
}
