//! Lua runs a program that calls a closure.

use anyhow::{Result, ensure};
use omniglot::{Error, FnPtr, Ptr, Runtime};
use real_subject::subject;

omniglot::include_library!("lua");

subject! {
    LUA: Lua = "lua5.4" from "liblua5.4-dev",
    does: "runs a program that calls a closure in Rust a thousand times",
    confirmed: "the same sum computed in Rust",
    builder: |_input| [],
}

const PROGRAM: &str = "local parts = {}
for number = 1, 1000 do parts[#parts + 1] = host(number) % 101 end
table.sort(parts)
local sum = 0
for place, part in ipairs(parts) do sum = sum + place * part end
return string.format('%d of %d', sum, #parts)";

fn price(number: i64) -> i64 {
    number * number + 7
}

fn input() -> Result<()> {
    Ok(())
}

fn run<R: Runtime>(lua: &mut Lua<R>, (): &()) -> omniglot::Result<String> {
    lua.scope(|lua| {
        let state = lua.luaL_newstate()?;
        lua.luaL_openlibs(state)?;
        let host = lua.callback::<lua_CFunction>(|lua, state| {
            let number = lua.lua_tointegerx(state, 1, Ptr::null())?;
            lua.lua_pushinteger(state, price(number))?;
            Ok(1)
        })?;
        lua.lua_pushcclosure(state, host, 0)?;
        let (name, program) = (lua.str("host")?, lua.str(PROGRAM)?);
        lua.lua_setglobal(state, name)?;
        let good = lua.luaL_loadstring(state, program)? == 0
            && lua.lua_pcallk(state, 0, 1, 0, 0, FnPtr::null())? == 0;
        let text = lua.lua_tolstring(state, -1, Ptr::null())?;
        let text = lua.read_string(text, 1000)?;
        lua.lua_close(state)?;
        if good { Ok(text) } else { Err(Error::Misuse("the program fails")) }
    })
}

fn confirm((): &(), text: &String) -> Result<()> {
    let mut parts: Vec<i64> = (1..=1000).map(|number| price(number) % 101).collect();
    parts.sort_unstable();
    let sum: i64 = (1..).zip(&parts).map(|(place, part)| place * part).sum();
    ensure!(text == &format!("{sum} of 1000"), "{text}");
    Ok(())
}
