//! libxml2 evaluates XPath expressions.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Scratch, subject, tool};

omniglot::include_library!("xml");

subject! {
    XML: Xml = "libxml2" from "libxml2-dev",
    does: "parses XML and answers questions in XPath",
    confirmed: "the command `xmllint`, equal",
    builder: |_input| [],
    not_sandboxed: "its archive needs that of ICU, which is C++",
}

const QUESTIONS: [&str; 3] =
    ["string(sum(//item/@price))", "string(//item[@n='17'])", "string(count(//item[@price > 15]))"];

fn input() -> Result<String> {
    Ok(crate::goods())
}

fn run<R: Runtime>(xml: &mut Xml<R>, document: &String) -> omniglot::Result<Vec<String>> {
    xml.scope(|xml| {
        let (text, len) = (xml.copy_in(document.as_bytes())?, document.len() as i32);
        let document = xml.xmlReadMemory(text, len, Ptr::null(), Ptr::null(), 0)?;
        let context = xml.xmlXPathNewContext(document)?;
        let mut answers = Vec::new();
        for question in QUESTIONS {
            let question = xml.str(question)?;
            let answer = xml.xmlXPathEvalExpression(question.cast(), context)?;
            if answer.is_null() {
                return Err(Error::Misuse("libxml2 does not understand the question"));
            }
            let text = xml.follow(answer, xmlXPathObject::STRINGVAL)?;
            answers.push(xml.read_string(text.cast(), 100)?);
            xml.xmlXPathFreeObject(answer)?;
        }
        xml.xmlXPathFreeContext(context)?;
        xml.xmlFreeDoc(document)?;
        Ok(answers)
    })
}

fn confirm(document: &String, answers: &Vec<String>) -> Result<()> {
    let scratch = Scratch::new()?;
    let file = scratch.write("goods.xml", document.as_bytes())?;
    for (question, answer) in QUESTIONS.iter().zip(answers) {
        let expected = tool("xmllint", &["--xpath", question, &file], &[])?;
        let expected = String::from_utf8(expected)?;
        ensure!(expected.trim_end() == answer, "{question}: {answer}, not {expected}");
    }
    ensure!(answers.len() == QUESTIONS.len(), "{answers:?}");
    Ok(())
}
