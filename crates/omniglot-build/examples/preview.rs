//! Prints what would be generated for a header: `preview HEADER [PATTERN]`.

fn main() -> omniglot_build::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let header = arguments.next().unwrap_or_else(|| "zlib.h".to_owned());
    let mut library = omniglot_build::Library::new("preview").header(header);
    if let Some(pattern) = arguments.next() {
        library = library.allowlist_function(pattern);
    }
    let preview = library.preview()?;
    println!("{}\n{}", preview.rust, preview.c);
    for problem in preview.problems {
        eprintln!("{problem}");
    }
    Ok(())
}
