//! SQL functions written in Rust.

use omniglot::{Answer, Escape, Ptr, Registered};

use crate::place::Place;
use crate::sqlite::{
    Api, SQLITE_UTF8, Sqlite, sqlite3_context, sqlite3_create_function_v2_xFunc_fn, sqlite3_value,
};
use crate::statement::transient;
use crate::{Error, Result, Value};

/// The signature of the C function that SQLite calls.
pub(crate) type Scalar = sqlite3_create_function_v2_xFunc_fn;

/// The largest number of arguments that SQLite supports in any build.
pub(crate) const ARGUMENTS: i32 = 127;

/// Makes a C function from a closure that returns a value or an error message.
pub(crate) fn register(
    sqlite: &mut Sqlite,
    mut closure: impl FnMut(&[Value]) -> Result<Value, String> + Send + 'static,
) -> omniglot::Result<Registered<Scalar>> {
    sqlite.register::<Scalar>(move |api, (context, count, values)| {
        let arguments = match arguments(api, count, values) {
            Ok(arguments) => arguments,
            Err(Error::Foreign(error)) => return Err(Escape::Error(error)),
            Err(error) => return refuse(api, context, &error.to_string()),
        };
        match closure(&arguments) {
            Ok(value) => Ok(answer(api, context, &value)?),
            Err(message) => refuse(api, context, &message),
        }
    })
}

fn arguments(api: &mut Api, count: i32, values: Ptr<Ptr<sqlite3_value>>) -> Result<Vec<Value>> {
    if !(0..=ARGUMENTS).contains(&count) {
        return Err(Error::Nonsense("a function is called with no such number of arguments"));
    }
    let values = api.view_slice(api.upgrade_slice(values, count as usize)?)?.to_vec();
    values.into_iter().map(|value| Place::Argument(value).read(api)).collect()
}

/// Passes a function's value to SQLite.
fn answer(api: &mut Api, context: Ptr<sqlite3_context>, value: &Value) -> omniglot::Result<()> {
    match value {
        Value::Null => api.sqlite3_result_null(context),
        Value::Integer(number) => api.sqlite3_result_int64(context, *number),
        Value::Real(number) => api.sqlite3_result_double(context, *number),
        Value::Text(text) => api.scope(|api| {
            let (place, len) = (api.copy_in(text.as_bytes())?, text.len() as u64);
            let (place, utf8) = (place.as_ptr().cast(), SQLITE_UTF8 as u8);
            api.sqlite3_result_text64(context, place, len, transient(), utf8)
        }),
        Value::Blob(bytes) => api.scope(|api| {
            let (place, len) = (api.copy_in(bytes)?, bytes.len() as u64);
            api.sqlite3_result_blob64(context, place, len, transient())
        }),
    }
}

/// Makes the query that called the function fail with this message.
fn refuse(api: &mut Api, context: Ptr<sqlite3_context>, message: &str) -> Answer<Scalar> {
    api.scope(|api| {
        let place = api.copy_in(message.as_bytes())?.as_ptr().cast();
        let len = i32::try_from(message.len()).unwrap_or(i32::MAX);
        api.sqlite3_result_error(context, place, len)
    })?;
    Ok(())
}
