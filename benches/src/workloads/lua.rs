//! Lua, which calls the host often.

use std::ffi::CString;
use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::chatty::{Program, answer};
use crate::inputs::Inputs;
use crate::native;
use crate::runtimes::on_each_runtime;
use crate::user::lua::{Lua, run};

/// One operation runs a program in a new state, which calls a closure `calls` times.
pub(crate) fn lua(_: &Inputs, calls: usize) -> Result<Workload> {
    let program = Rc::new(Program::new(calls)?);
    let (text, result) = (CString::new(program.text.as_str())?, program.result);
    let mut variants = vec![Variant::new("native", move |count| {
        for _ in 0..count {
            ensure!(native::lua::run(&text)? == result, "another result");
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Lua, |name, library| variant(
        name,
        library,
        Rc::clone(&program)
    )));
    Ok(Workload { size: calls, variants })
}

fn variant<R: Runtime>(name: &str, mut lua: Lua<R>, program: Rc<Program>) -> Variant {
    Variant::new(name, move |count| {
        for _ in 0..count {
            let result = run(&mut lua, &program.text, answer)?;
            ensure!(result == program.result, "another result");
        }
        Ok(())
    })
}
