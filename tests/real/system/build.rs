//! Generates bindings of libraries that need data files, and of the C library.

use omniglot_build::{Library, Result};

fn main() -> Result<()> {
    Library::new("proj")
        .header("proj.h")
        .pkg_config("proj")
        .allowlist_function("proj_(create_crs_to_crs|trans_generic|destroy)")
        .generate()?;
    Library::new("git")
        .header("git2.h")
        .header("git2/sys/mempack.h")
        .header("git2/sys/odb_backend.h")
        .header("git2/sys/repository.h")
        .pkg_config("libgit2")
        .allowlist_function("git_libgit2_init|git_odb_(new|add_backend)|git_mempack_new")
        .allowlist_function("git_repository_wrap_odb|git_blob_create_from_buffer")
        .allowlist_function("git_treebuilder_(new|insert|write)|git_tree_lookup")
        .allowlist_function("git_signature_new|git_commit_create|git_oid_tostr")
        .generate()?;
    Library::new("hdf5")
        .header("hdf5.h")
        .pkg_config("hdf5")
        .allowlist_function(
            "H5open|H5P(create|set_fapl_core)|H5F(create|flush|get_file_image|close)",
        )
        .allowlist_function("H5Screate_simple|H5D(create2|write|read|close)")
        .allowlist_var("H5P_CLS_FILE_ACCESS_ID_g|H5T_NATIVE_DOUBLE_g")
        .generate()?;
    Library::new("poppler")
        .header("poppler.h")
        .pkg_config("poppler-glib")
        .allowlist_function("poppler_document_(new_from_bytes|get_n_pages|get_page)")
        .allowlist_function("poppler_page_get_text|g_bytes_new|g_free|g_object_unref")
        .generate()?;
    Library::new("c")
        .header("iconv.h")
        .header("locale.h")
        .header("stdlib.h")
        .header("time.h")
        .allowlist_function("iconv(_open|_close)?|setlocale|mbstowcs|localtime_r")
        .allowlist_var("LC_ALL")
        .sandboxed()
        .generate()
}
