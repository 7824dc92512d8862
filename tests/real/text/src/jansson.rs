//! jansson parses JSON, returns its parts, and writes it again.

use anyhow::{Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::subject;

omniglot::include_library!("jansson");

subject! {
    JANSSON: Jansson = "jansson" from "libjansson-dev",
    does: "reads JSON, is asked for a thousand numbers one by one, and writes it again",
    confirmed: "the crate serde_json, equal",
    builder: |_input| [],
}

fn input() -> Result<String> {
    let numbers: Vec<i64> = (0..1000).map(|number| number * number % 997).collect();
    let value = serde_json::json!({ "name": "part № 7 \n", "numbers": numbers, "half": 0.5 });
    Ok(value.to_string())
}

/// The sum of the numbers, and the document as it was written again.
type Output = (i64, String);

fn run<R: Runtime>(jansson: &mut Jansson<R>, text: &String) -> omniglot::Result<Output> {
    jansson.scope(|jansson| {
        let (bytes, error) = (jansson.copy_in(text.as_bytes())?, jansson.out::<json_error_t>()?);
        let value = jansson.json_loadb(bytes, text.len(), 0, error)?;
        if value.is_null() {
            return Err(Error::Misuse("jansson says no"));
        }
        let name = jansson.str("numbers")?;
        let numbers = jansson.json_object_get(value, name)?;
        let mut sum = 0;
        for index in 0..jansson.json_array_size(numbers)? {
            let number = jansson.json_array_get(numbers, index)?;
            sum += jansson.json_integer_value(number)?;
        }
        let written = jansson.json_dumps(value, (JSON_COMPACT | JSON_SORT_KEYS) as usize)?;
        let copy = jansson.read_string(written, 1 << 20)?;
        jansson.free(written.cast())?;
        jansson.json_delete(value)?;
        Ok((sum, copy))
    })
}

fn confirm(text: &String, (sum, written): &Output) -> Result<()> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    ensure!(serde_json::from_str::<serde_json::Value>(written)? == value, "{written}");
    let numbers = value["numbers"].as_array().into_iter().flatten();
    let expected: i64 = numbers.filter_map(serde_json::Value::as_i64).sum();
    ensure!(*sum == expected, "{sum}, not {expected}");
    Ok(())
}
