//! libxslt transforms an XML document.

use anyhow::{Result, ensure};
use omniglot::{Error, Ptr, Runtime};
use real_subject::{Scratch, subject, tool};

omniglot::include_library!("xslt");

subject! {
    XSLT: Xslt = "libxslt" from "libxslt1-dev",
    does: "turns XML into a list by a style sheet",
    confirmed: "the command `xsltproc`, equal",
    builder: |_input| [],
    not_sandboxed: "Debian has no static archive of it",
}

const STYLE: &str = r#"<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="/goods"><xsl:for-each select="item[@price &gt; 10]">
<xsl:sort select="@price" data-type="number"/>
<xsl:value-of select="concat(@price, ' ', normalize-space(.))"/><xsl:text>
</xsl:text></xsl:for-each></xsl:template></xsl:stylesheet>"#;

fn input() -> Result<String> {
    Ok(crate::goods())
}

fn run<R: Runtime>(xslt: &mut Xslt<R>, document: &String) -> omniglot::Result<Vec<u8>> {
    xslt.scope(|xslt| {
        let mut parse = |text: &str| {
            let bytes = xslt.copy_in(text.as_bytes())?;
            xslt.xmlReadMemory(bytes, text.len() as i32, Ptr::null(), Ptr::null(), 0)
        };
        let (style, document) = (parse(STYLE)?, parse(document)?);
        let style = xslt.xsltParseStylesheetDoc(style)?;
        let result = xslt.xsltApplyStylesheet(style, document, Ptr::null())?;
        let (text, len) = (xslt.value(Ptr::null())?, xslt.out::<i32>()?);
        if xslt.xsltSaveResultToString(text, len, result, style)? != 0 {
            return Err(Error::Misuse("libxslt says no"));
        }
        let list = xslt.read_vec(xslt.read(text)?, xslt.read(len)? as usize)?;
        xslt.xmlFreeDoc(result)?;
        xslt.xmlFreeDoc(document)?;
        xslt.xsltFreeStylesheet(style)?;
        Ok(list)
    })
}

fn confirm(document: &String, list: &Vec<u8>) -> Result<()> {
    let scratch = Scratch::new()?;
    let style = scratch.write("style.xsl", STYLE.as_bytes())?;
    let file = scratch.write("goods.xml", document.as_bytes())?;
    let expected = tool("xsltproc", &[&style, &file], &[])?;
    ensure!(list == &expected && list.len() > 1000, "{}", String::from_utf8_lossy(list));
    Ok(())
}
