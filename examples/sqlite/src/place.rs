//! Where SQLite holds a value for the host: in a column of a row, or as an argument of a function.

use omniglot::Ptr;

use crate::sqlite::{self, Api, sqlite3_stmt, sqlite3_value};
use crate::{Error, Result, Value};

/// A place from which a value can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Column(Ptr<sqlite3_stmt>, i32),
    Argument(Ptr<sqlite3_value>),
}

impl Place {
    /// Copies the value to the host.
    pub(crate) fn read(self, api: &mut Api) -> Result<Value> {
        match self.kind(api)? {
            sqlite::SQLITE_NULL => Ok(Value::Null),
            sqlite::SQLITE_INTEGER => Ok(Value::Integer(self.integer(api)?)),
            sqlite::SQLITE_FLOAT => Ok(Value::Real(self.real(api)?)),
            sqlite::SQLITE_TEXT => self.text(api),
            sqlite::SQLITE_BLOB => Ok(Value::Blob(self.blob(api)?)),
            _ => Err(Error::Nonsense("a value has a type that there is not")),
        }
    }

    fn kind(self, api: &mut Api) -> omniglot::Result<i32> {
        match self {
            Self::Column(row, column) => api.sqlite3_column_type(row, column),
            Self::Argument(value) => api.sqlite3_value_type(value),
        }
    }

    fn integer(self, api: &mut Api) -> omniglot::Result<i64> {
        match self {
            Self::Column(row, column) => api.sqlite3_column_int64(row, column),
            Self::Argument(value) => api.sqlite3_value_int64(value),
        }
    }

    fn real(self, api: &mut Api) -> omniglot::Result<f64> {
        match self {
            Self::Column(row, column) => api.sqlite3_column_double(row, column),
            Self::Argument(value) => api.sqlite3_value_double(value),
        }
    }

    fn text(self, api: &mut Api) -> Result<Value> {
        let text: Ptr<u8> = match self {
            Self::Column(row, column) => api.sqlite3_column_text(row, column)?,
            Self::Argument(value) => api.sqlite3_value_text(value)?,
        };
        let bytes = self.bytes(api, text)?;
        let text = String::from_utf8(bytes).map_err(|error| omniglot::Error::InvalidUtf8 {
            address: text.addr(),
            valid_up_to: error.utf8_error().valid_up_to(),
        })?;
        Ok(Value::Text(text))
    }

    fn blob(self, api: &mut Api) -> Result<Vec<u8>> {
        let blob = match self {
            Self::Column(row, column) => api.sqlite3_column_blob(row, column)?,
            Self::Argument(value) => api.sqlite3_value_blob(value)?,
        };
        self.bytes(api, blob.cast())
    }

    /// Copies as many bytes as SQLite says that the value has.
    fn bytes(self, api: &mut Api, start: Ptr<u8>) -> Result<Vec<u8>> {
        let len = match self {
            Self::Column(row, column) => api.sqlite3_column_bytes(row, column)?,
            Self::Argument(value) => api.sqlite3_value_bytes(value)?,
        };
        let len = usize::try_from(len).map_err(|_| Error::Nonsense("a length is negative"))?;
        Ok(api.view_slice(api.upgrade_slice(start, len)?)?.to_vec())
    }
}
