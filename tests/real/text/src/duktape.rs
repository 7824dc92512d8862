//! Duktape runs an ECMAScript program.

use anyhow::{Result, ensure};
use omniglot::{Error, FnPtr, Ptr, Runtime};
use real_subject::{Scratch, subject, tool};

omniglot::include_library!("duktape");

subject! {
    DUKTAPE: Duktape = "duktape" from "duktape-dev",
    does: "runs a program in ECMAScript",
    confirmed: "the command `duk`, equal",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of it",
}

const PROGRAM: &str = "(function () {
    var parts = [];
    for (var i = 0; i < 300; i++) parts.push({ name: 'part ' + i, count: i * i % 17 });
    parts.sort(function (a, b) { return a.count - b.count || (a.name < b.name ? -1 : 1); });
    return JSON.stringify(parts).replace(/\"/g, '') + Math.sqrt(2).toFixed(9);
})()";

fn input() -> Result<()> {
    Ok(())
}

fn run<R: Runtime>(duk: &mut Duktape<R>, (): &()) -> omniglot::Result<String> {
    duk.scope(|duk| {
        let (none, nobody) = (FnPtr::null(), Ptr::null());
        let heap =
            duk.duk_create_heap(none, FnPtr::null(), FnPtr::null(), nobody, FnPtr::null())?;
        let program = duk.str(PROGRAM)?;
        if duk.duk_peval_string(heap, program)? != 0 {
            return Err(Error::Misuse("the program fails"));
        }
        let text = duk.duk_safe_to_lstring(heap, -1, Ptr::null())?;
        let text = duk.read_string(text, 1 << 20)?;
        duk.duk_destroy_heap(heap)?;
        Ok(text)
    })
}

fn confirm((): &(), text: &String) -> Result<()> {
    let scratch = Scratch::new()?;
    let file = scratch.write("program.js", format!("print({PROGRAM});").as_bytes())?;
    let expected = String::from_utf8(tool("duk", &[&file], &[])?)?;
    ensure!(text == expected.trim_end() && text.len() > 1000, "{text}");
    Ok(())
}
