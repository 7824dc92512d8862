//! Nettle hashes.

use anyhow::{Result, ensure};
use omniglot::Runtime;
use real_subject::subject;

use crate::hex;

omniglot::include_library!("nettle");

subject! {
    NETTLE: Nettle = "nettle" from "nettle-dev",
    does: "SHA-3 and HMAC-SHA-256",
    confirmed: "the vectors of FIPS 202 and RFC 4231",
    builder: |_input| [],
    not_sandboxed: "its assembly has data among code",
}

fn input() -> Result<()> {
    Ok(())
}

fn run<R: Runtime>(nettle: &mut Nettle<R>, (): &()) -> omniglot::Result<(String, String)> {
    nettle.scope(|nettle| {
        let (hash, text) = (nettle.zeroed::<u8>(32)?, nettle.copy_in(b"abc")?);
        let sha3 = nettle.out::<sha3_256_ctx>()?;
        nettle.nettle_sha3_256_init(sha3)?;
        nettle.nettle_sha3_256_update(sha3, 3, text)?;
        nettle.nettle_sha3_256_digest(sha3, 32, hash)?;
        let first = hex(&nettle.view_slice(hash)?);
        let (key, text) = (nettle.copy_in(b"Jefe")?, b"what do ya want for nothing?");
        let hmac = nettle.out::<hmac_sha256_ctx>()?;
        nettle.nettle_hmac_sha256_set_key(hmac, 4, key)?;
        let (place, len) = (nettle.copy_in(text)?, text.len());
        nettle.nettle_hmac_sha256_update(hmac, len, place)?;
        nettle.nettle_hmac_sha256_digest(hmac, 32, hash)?;
        Ok((first, hex(&nettle.view_slice(hash)?)))
    })
}

fn confirm((): &(), (sha3, hmac): &(String, String)) -> Result<()> {
    let expected = "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532";
    ensure!(sha3 == expected, "{sha3}");
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    ensure!(hmac == expected, "{hmac}");
    Ok(())
}
