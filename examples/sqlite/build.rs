//! Generates safe bindings to the system's SQLite.

fn main() -> omniglot_build::Result<()> {
    omniglot_build::Library::new("sqlite")
        .header("sqlite3.h")
        .pkg_config("sqlite3")
        .allowlist_function("sqlite3_(open_v2|close|errmsg|exec|changes64|create_function_v2)")
        .allowlist_function("sqlite3_(prepare_v2|step|reset|finalize|clear_bindings)")
        .allowlist_function("sqlite3_bind_(null|int64|double|text64|blob64|parameter_count)")
        .allowlist_function("sqlite3_column_(count|type|int64|double|text|blob|bytes)")
        .allowlist_function("sqlite3_value_(type|int64|double|text|blob|bytes)")
        .allowlist_function("sqlite3_result_(null|int64|double|text64|blob64|error)")
        .allowlist_function("sqlite3_vfs_find")
        .allowlist_var("SQLITE_[A-Z0-9_]+")
        .generate()
}
