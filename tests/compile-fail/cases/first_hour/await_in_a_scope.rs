//! A scope's closure is not async: use `.await` before or after the scope.
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
