//! libyaml reads a document, event by event.

use anyhow::{Result, ensure};
use omniglot::{Error, Runtime};
use real_subject::subject;

omniglot::include_library!("yaml");

subject! {
    YAML: Yaml = "libyaml" from "libyaml-dev",
    does: "reads a document, event by event",
    confirmed: "example 2.10 of YAML 1.2's specification",
    builder: |_input| [],
}

/// Example 2.10, "Node for Sammy Sosa appears twice in this document".
const DOCUMENT: &str = "---\nhr:\n- Mark McGwire\n# Following node labeled SS\n- &SS Sammy Sosa\n\
    rbi:\n- *SS # Subsequent occurrence\n- Ken Griffey\n";

fn input() -> Result<String> {
    Ok(DOCUMENT.to_owned())
}

fn run<R: Runtime>(yaml: &mut Yaml<R>, document: &String) -> omniglot::Result<Vec<String>> {
    yaml.scope(|yaml| {
        let bytes = yaml.copy_in(document.as_bytes())?;
        let (parser, event) = (yaml.out::<yaml_parser_t>()?, yaml.out::<yaml_event_t>()?);
        yaml.yaml_parser_initialize(parser)?;
        yaml.yaml_parser_set_input_string(parser, bytes, document.len())?;
        let mut events = Vec::new();
        loop {
            if yaml.yaml_parser_parse(parser, event)? != 1 {
                return Err(Error::Misuse("libyaml says no"));
            }
            let kind = yaml.read(event.field(yaml_event_t::TYPE_))?;
            let data = yaml.read(event.field(yaml_event_t::DATA))?;
            let text = match kind {
                yaml_event_type_t::YAML_SCALAR_EVENT => {
                    let scalar = data.scalar()?;
                    String::from_utf8_lossy(&yaml.read_vec(scalar.value, scalar.length)?)
                        .into_owned()
                }
                yaml_event_type_t::YAML_ALIAS_EVENT => {
                    let name = data.alias()?.anchor;
                    format!("*{}", yaml.read_string(name.cast(), 64)?)
                }
                yaml_event_type_t::YAML_SEQUENCE_START_EVENT => "[".to_owned(),
                yaml_event_type_t::YAML_SEQUENCE_END_EVENT => "]".to_owned(),
                _ => String::new(),
            };
            yaml.yaml_event_delete(event)?;
            events.push(text);
            if kind == yaml_event_type_t::YAML_STREAM_END_EVENT {
                break;
            }
        }
        yaml.yaml_parser_delete(parser)?;
        events.retain(|event| !event.is_empty());
        Ok(events)
    })
}

fn confirm(_: &String, events: &Vec<String>) -> Result<()> {
    let expected =
        ["hr", "[", "Mark McGwire", "Sammy Sosa", "]", "rbi", "[", "*SS", "Ken Griffey", "]"];
    ensure!(events == &expected, "{events:?}");
    Ok(())
}
