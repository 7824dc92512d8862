//! One instance for many tasks on several threads: use a `Pool`, or one instance per task.
#![forbid(unsafe_code)]
use std::sync::Arc;

use omniglot::Result;
use omniglot_compile_fail::Demo;

fn spawn(_: impl Future<Output = ()> + Send + 'static) {}

async fn later() {}

fn main() -> Result<()> {
    let demo = Arc::new(Demo::assemble_for_tests()?);
    for _ in 0..2 {
        let demo = Arc::clone(&demo);
        spawn(async move {
            later().await;
            println!("{}", demo.errno());
        });
    }
    Ok(())
}
