//! Turns modules into C by wasm2c, and compiles that natively.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::compile::build;
use crate::libraries::Library;

/// wasm2c's own runtime, as Debian installs it.
const RUNTIME: &str = "/usr/share/wabt/wasm2c/wasm-rt-impl.c";

/// Makes a static library of all modules, and links it.
pub(crate) fn library(libraries: &[Library], out: &Path) -> Result<(), Box<dyn Error>> {
    let mut build = build(2);
    build.include("c").include(out);
    // The guard pages are there, but what runs into them ends the process, as other traps do.
    build.define("WASM_RT_SKIP_SIGNAL_RECOVERY", "1");
    build.define("WASM_RT_TRAP_HANDLER", "trapped");
    build.flag("-include").flag("wasm2c.h");
    build.file(RUNTIME).file("c/host.c");
    for library in libraries {
        let code = out.join(format!("{}_wasm2c.c", library.name));
        turn(library, &code, out)?;
        let table = out.join(format!("{}_table.c", library.name));
        let header = fs::read_to_string(code.with_extension("h"))?;
        fs::write(&table, table_of(library, &header)?)?;
        build.file(code).file(table);
    }
    build.compile("wasm2c");
    Ok(())
}

/// Turns a module into C.
fn turn(library: &Library, code: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let module = out.join(format!("{}-scalar.wasm", library.name));
    let mut command = Command::new("wasm2c");
    command.arg("--module-name").arg(library.name).arg("-o").arg(code).arg(module);
    if !command.status().map_err(|error| format!("starting wasm2c: {error}"))?.success() {
        return Err(format!("wasm2c makes no C of {}", library.name).into());
    }
    Ok(())
}

/// Writes what `wasm2c.h` says of the module. The header that wasm2c wrote says whether the module
/// needs WASI.
fn table_of(library: &Library, header: &str) -> Result<String, std::fmt::Error> {
    let name = library.name;
    let needs_wasi =
        header.contains("_instantiate(Z_") && header.contains("wasi_snapshot_preview1");
    let wasi = if needs_wasi { ", NULL" } else { "" };
    let mut text = format!(
        "#include \"{name}_wasm2c.h\"\n\
         #include \"wasm2c.h\"\n\
         static void start(void *instance) {{\n\
         \tZ_{name}_init_module();\n\
         \tZ_{name}_instantiate(instance{wasi});\n\
         }}\n\
         static void end(void *instance) {{ Z_{name}_free(instance); }}\n\
         static wasm_rt_memory_t *memory(void *instance) {{ return Z_{name}Z_memory(instance); }}\n\
         static wasm_rt_funcref_table_t *table(void *instance) {{\n\
         \treturn Z_{name}Z___indirect_function_table(instance);\n\
         }}\n\
         static const struct function_of_module functions[] = {{\n"
    );
    for export in library.exports.iter().chain(&["_initialize", "malloc"]) {
        writeln!(text, "\t{{\"{export}\", (function)Z_{name}Z_{export}}},")?;
    }
    writeln!(
        text,
        "}};\nconst struct module module_{name} = {{sizeof(Z_{name}_instance_t), start, end, \
         memory, table,\n\tfunctions, sizeof functions / sizeof *functions}};"
    )?;
    Ok(text)
}
