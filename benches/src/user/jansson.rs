//! jansson.

use omniglot::{Error, Result, Runtime};

omniglot::include_library!("jansson");

const REFUSED: Error = Error::Misuse("jansson refused");

/// Parses a document, and asks for the numbers in its array `numbers`, one by one. Returns their
/// sum.
pub(crate) fn sum<R: Runtime>(jansson: &mut Jansson<R>, text: &str) -> Result<i64> {
    jansson.scope(|jansson| {
        let (bytes, error) = (jansson.copy_in(text.as_bytes())?, jansson.out::<json_error_t>()?);
        let document = jansson.json_loadb(bytes, text.len(), 0, error)?;
        if document.is_null() {
            return Err(REFUSED);
        }
        let name = jansson.str("numbers")?;
        let numbers = jansson.json_object_get(document, name)?;
        let mut sum: i64 = 0;
        for index in 0..jansson.json_array_size(numbers)? {
            let number = jansson.json_array_get(numbers, index)?;
            sum = sum.wrapping_add(jansson.json_integer_value(number)?);
        }
        jansson.json_delete(document)?;
        Ok(sum)
    })
}
