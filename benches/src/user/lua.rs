//! Lua.

use omniglot::{Error, FnPtr, Ptr, Result, Runtime};

omniglot::include_library!("lua");

const REFUSED: Error = Error::Misuse("Lua refused");

/// Runs a program in a new state, where it finds `answer` as the function `host`. Returns the
/// program's number.
pub(crate) fn run<R: Runtime>(
    lua: &mut Lua<R>,
    program: &str,
    answer: fn(i64) -> i64,
) -> Result<i64> {
    lua.scope(|lua| {
        let state = lua.luaL_newstate()?;
        lua.luaL_openlibs(state)?;
        let host = lua.callback::<lua_CFunction>(move |lua, state| {
            let number = lua.lua_tointegerx(state, 1, Ptr::null())?;
            lua.lua_pushinteger(state, answer(number))?;
            Ok(1)
        })?;
        lua.lua_pushcclosure(state, host, 0)?;
        let (name, program) = (lua.str("host")?, lua.str(program)?);
        lua.lua_setglobal(state, name)?;
        let is_good = lua.luaL_loadstring(state, program)? == 0
            && lua.lua_pcallk(state, 0, 1, 0, 0, FnPtr::null())? == 0;
        let number = lua.lua_tointegerx(state, -1, Ptr::null())?;
        lua.lua_close(state)?;
        if is_good { Ok(number) } else { Err(REFUSED) }
    })
}
