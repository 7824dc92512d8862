//! A scope ends before its function returns, so it cannot wait: await before or behind it.
#![forbid(unsafe_code)]
use omniglot::Result;
use omniglot_compile_fail::Demo;

async fn text() -> &'static str {
    "text"
}

async fn task(demo: &mut Demo) -> Result<()> {
    demo.scope(|scope| {
        let text = scope.str(text().await)?;
        scope.put(text)?;
        Ok(())
    })
}

fn main() -> Result<()> {
    drop(task(&mut Demo::assemble_for_tests()?));
    Ok(())
}
