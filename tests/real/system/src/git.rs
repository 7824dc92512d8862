//! libgit2 makes a commit in memory.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Scratch, prose, subject, tool};

omniglot::include_library!("git");

subject! {
    GIT: Git = "libgit2" from "libgit2-dev",
    does: "makes a file, a tree and a commit in a repository in memory",
    confirmed: "the command `git`, equal",
    builder: |_input| [],
    not_sandboxed: "its archive needs that of libcrypto, whose assembly has data among code",
}

const MESSAGE: &str = "Stakes\n";
const TIME: i64 = 1_700_000_000;

fn input() -> Result<String> {
    Ok(prose(5000))
}

/// Returns the hashes of the file, the tree and the commit.
fn run<R: Runtime>(git: &mut Git<R>, text: &String) -> omniglot::Result<[String; 3]> {
    const NO: Error = Error::Misuse("libgit2 says no");
    git.scope(|git| {
        let mut good = git.git_libgit2_init()? > 0;
        let (odb, store) = (git.value(Ptr::null())?, git.value(Ptr::null())?);
        good &= git.git_odb_new(odb)? == 0 && git.git_mempack_new(store)? == 0;
        let (odb, store) = (git.read(odb)?, git.read(store)?);
        good &= git.git_odb_add_backend(odb, store, 1)? == 0;
        let repository = git.value(Ptr::null())?;
        good &= git.git_repository_wrap_odb(repository, odb)? == 0;
        if !good {
            return Err(NO);
        }
        let repository = git.read(repository)?;
        let [file, tree, commit] =
            [git.out::<git_oid>()?, git.out::<git_oid>()?, git.out::<git_oid>()?];
        let bytes = git.copy_in(text.as_bytes())?;
        good &= git.git_blob_create_from_buffer(file, repository, bytes, text.len())? == 0;
        let builder = git.value(Ptr::null())?;
        good &= git.git_treebuilder_new(builder, repository, Ptr::null())? == 0;
        let (builder, name) = (git.read(builder)?, git.str("prose.txt")?);
        let mode = git_filemode_t::GIT_FILEMODE_BLOB;
        good &= git.git_treebuilder_insert(Ptr::null(), builder, name, file, mode)? == 0;
        good &= git.git_treebuilder_write(tree, builder)? == 0;
        let (made, author) = (git.value(Ptr::null())?, git.value(Ptr::null())?);
        good &= git.git_tree_lookup(made, repository, tree)? == 0;
        let (name, address) = (git.str("A U Thor")?, git.str("author@example.org")?);
        good &= git.git_signature_new(author, name, address, TIME, 60)? == 0;
        let (made, author, message) = (git.read(made)?, git.read(author)?, git.str(MESSAGE)?);
        let (no_ref, plain) = (Ptr::null(), Ptr::null());
        good &= git.git_commit_create(
            commit,
            repository,
            no_ref,
            author,
            author,
            plain,
            message,
            made,
            0,
            Ptr::null(),
        )? == 0;
        let mut name = |id| {
            let room = git.zeroed::<u8>(41)?;
            let text = git.git_oid_tostr(room, 41, id)?;
            git.read_string(text, 41)
        };
        let names = [name(file)?, name(tree)?, name(commit)?];
        if good { Ok(names) } else { Err(NO) }
    })
}

fn confirm(text: &String, names: &[String; 3]) -> Result<()> {
    let scratch = Scratch::new()?;
    let place = scratch.text("repository")?;
    tool("git", &["init", "-q", &place], &[])?;
    let git = |words: &[&str], input: &[u8]| {
        let date = format!("{TIME} +0100");
        let variables = ["AUTHOR", "COMMITTER"].map(|who| {
            [
                format!("GIT_{who}_NAME=A U Thor"),
                format!("GIT_{who}_EMAIL=author@example.org"),
                format!("GIT_{who}_DATE={date}"),
            ]
        });
        let variables: Vec<&str> = variables.as_flattened().iter().map(String::as_str).collect();
        let output = tool("env", &[&variables[..], &["git", "-C", &place], words].concat(), input)?;
        anyhow::Ok(String::from_utf8(output)?.trim().to_owned())
    };
    let file = git(&["hash-object", "-w", "--stdin"], text.as_bytes())?;
    let tree = git(&["mktree"], format!("100644 blob {file}\tprose.txt\n").as_bytes())?;
    let commit = git(&["commit-tree", &tree], MESSAGE.as_bytes())?;
    let expected = [file, tree, commit];
    ensure!(names == &expected, "{names:?}, not {expected:?}");
    Ok(())
}
