//! jansson, which the host asks often.

use std::rc::Rc;

use anyhow::{Result, ensure};
use omniglot::Runtime;
use omniglot_turns::{Variant, Workload};

use crate::chatty::Document;
use crate::inputs::Inputs;
use crate::native;
use crate::runtimes::on_each_runtime;
use crate::user::jansson::{Jansson, sum};

/// One operation parses a document and asks for its numbers, with `calls` calls, two for each.
pub(crate) fn jansson(_: &Inputs, calls: usize) -> Result<Workload> {
    let document = Rc::new(Document::new(calls / 2)?);
    let own = Rc::clone(&document);
    let mut variants = vec![Variant::new("native", move |count| {
        for _ in 0..count {
            ensure!(native::jansson::sum(&own.text)? == own.sum, "another sum");
        }
        Ok(())
    })];
    variants.extend(on_each_runtime!(Jansson, |name, library| {
        variant(name, library, Rc::clone(&document))
    }));
    Ok(Workload { size: calls, variants })
}

fn variant<R: Runtime>(name: &str, mut jansson: Jansson<R>, document: Rc<Document>) -> Variant {
    Variant::new(name, move |count| {
        for _ in 0..count {
            ensure!(sum(&mut jansson, &document.text)? == document.sum, "another sum");
        }
        Ok(())
    })
}
