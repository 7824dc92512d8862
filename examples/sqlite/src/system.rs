//! SQLite's requests to the operating system. Its worker has no files and no random numbers, so
//! closures answer the requests.

use std::hash::{BuildHasher, RandomState};

use omniglot::{Answer, Ptr, Registered};

use crate::sqlite::{
    Api, SQLITE_CANTOPEN, Sqlite, sqlite3_file, sqlite3_vfs, sqlite3_vfs_xFullPathname_fn,
    sqlite3_vfs_xOpen_fn, sqlite3_vfs_xRandomness_fn,
};
use crate::{Error, Result};

const CANNOT_OPEN: i32 = SQLITE_CANTOPEN;

/// The closures in SQLite's table of system functions.
#[derive(Debug)]
pub(crate) struct System {
    _path: Registered<sqlite3_vfs_xFullPathname_fn>,
    _open: Registered<sqlite3_vfs_xOpen_fn>,
    _random: Registered<sqlite3_vfs_xRandomness_fn>,
}

impl System {
    /// Writes the closures into the table that SQLite uses.
    pub(crate) fn install(sqlite: &mut Sqlite) -> Result<Self> {
        let table = sqlite.sqlite3_vfs_find(Ptr::null())?;
        if table.is_null() {
            return Err(Error::Nonsense("it knows no system"));
        }
        let table = sqlite.upgrade_mut(table)?;
        // No file name has a full path, so SQLite looks for no file.
        let path = sqlite.register::<sqlite3_vfs_xFullPathname_fn>(|_, _| Ok(CANNOT_OPEN))?;
        let open = sqlite
            .register::<sqlite3_vfs_xOpen_fn>(|api, (_, _, file, _, _)| refuse_file(api, file))?;
        let random = sqlite.register::<sqlite3_vfs_xRandomness_fn>(|api, (_, len, into)| {
            randomize(api, into.cast(), len)
        })?;
        sqlite.write(table.field(sqlite3_vfs::X_FULL_PATHNAME), path.function())?;
        sqlite.write(table.field(sqlite3_vfs::X_OPEN), open.function())?;
        sqlite.write(table.field(sqlite3_vfs::X_RANDOMNESS), random.function())?;
        Ok(Self { _path: path, _open: open, _random: random })
    }
}

/// Refuses even temporary files. SQLite does not close a file that has no methods.
fn refuse_file(api: &mut Api, file: Ptr<sqlite3_file>) -> Answer<sqlite3_vfs_xOpen_fn> {
    let file = api.upgrade_mut(file)?;
    api.write(file.field(sqlite3_file::P_METHODS), Ptr::null())?;
    Ok(CANNOT_OPEN)
}

/// Returns random bytes that are hard to predict, which suffices: SQLite does not disclose its
/// seeds.
fn randomize(api: &mut Api, into: Ptr<u8>, len: i32) -> Answer<sqlite3_vfs_xRandomness_fn> {
    /// More than SQLite ever requests, in bytes.
    const MOST: i32 = 4096;
    let len = len.clamp(0, MOST);
    let secret = RandomState::new();
    let words = (0_u64..).flat_map(|number| secret.hash_one(number).to_ne_bytes());
    let bytes: Vec<u8> = words.take(len as usize).collect();
    let into = api.upgrade_slice_mut(into, bytes.len())?;
    api.write_slice(into, &bytes)?;
    Ok(len)
}
