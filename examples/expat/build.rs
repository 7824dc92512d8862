//! Generates safe bindings to the system's expat.

use omniglot_build::{Handle, Library};

fn main() -> omniglot_build::Result<()> {
    Library::new("expat")
        .header("expat.h")
        .pkg_config("expat")
        .allowlist_function("XML_Parser(Create|Free)|XML_Parse|XML_StopParser|XML_SetHashSalt")
        .allowlist_function("XML_Set(Element|CharacterData)Handler")
        .allowlist_function("XML_GetErrorCode|XML_ErrorString|XML_GetCurrent(Line|Column)Number")
        .handle(
            Handle::of("XML_ParserStruct")
                .constructor("XML_ParserCreate")
                .destructor("XML_ParserFree")
                .named("Parser"),
        )
        .generate()
}
