//! Hunspell checks the spelling of words.

use anyhow::{Context as _, Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{subject, tool};

omniglot::include_library!("hunspell");

subject! {
    HUNSPELL: Hunspell = "hunspell" from "libhunspell-dev",
    does: "checks words and proposes others, with its dictionary",
    confirmed: "the command `hunspell`, equal",
    builder: |_input| [.directory("/usr/share/hunspell", "/usr/share/hunspell")],
    not_sandboxed: "it is C++",
}

const WORDS: [&str; 5] = ["bridge", "recieve", "langauge", "safety", "sentense"];

fn input() -> Result<()> {
    Ok(())
}

fn run<R: Runtime>(hunspell: &mut Hunspell<R>, (): &()) -> omniglot::Result<Vec<Vec<String>>> {
    hunspell.scope(|hunspell| {
        let rules = hunspell.str("/usr/share/hunspell/en_US.aff")?;
        let words = hunspell.str("/usr/share/hunspell/en_US.dic")?;
        let dictionary = hunspell.Hunspell_create(rules, words)?;
        if dictionary.is_null() {
            return Err(Error::Misuse("there is no dictionary"));
        }
        let mut proposals = Vec::new();
        for word in WORDS {
            let (word, list) = (hunspell.str(word)?, hunspell.value(Ptr::null())?);
            let mut others = Vec::new();
            if hunspell.Hunspell_spell(dictionary, word)? == 0 {
                let count = hunspell.Hunspell_suggest(dictionary, list, word)?;
                for other in hunspell.read_vec(hunspell.read(list)?, count as usize)? {
                    others.push(hunspell.read_string(other, 100)?);
                }
                hunspell.Hunspell_free_list(dictionary, list, count)?;
            }
            proposals.push(others);
        }
        hunspell.Hunspell_destroy(dictionary)?;
        Ok(proposals)
    })
}

/// The command prints a line for each word: `*`, or `& word count place: proposals`.
fn confirm((): &(), proposals: &Vec<Vec<String>>) -> Result<()> {
    let words = WORDS.join("\n");
    let output = tool("hunspell", &["-a", "-i", "utf-8", "-d", "en_US"], words.as_bytes())?;
    let output = String::from_utf8(output)?;
    let lines = output.lines().skip(1).filter(|line| !line.is_empty());
    let mut count = 0;
    for ((word, proposals), line) in WORDS.iter().zip(proposals).zip(lines) {
        let expected: Vec<&str> = if line.starts_with('&') {
            line.split_once(": ").context("no proposals")?.1.split(", ").collect()
        } else {
            Vec::new()
        };
        ensure!(proposals == &expected, "{word}: {proposals:?}, not {line}");
        count += 1;
    }
    ensure!(count == WORDS.len() && proposals[1].contains(&"receive".to_owned()), "{output}");
    Ok(())
}
