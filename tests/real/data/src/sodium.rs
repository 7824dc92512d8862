//! libsodium signs.

use anyhow::{Result, ensure};
use omniglot::{Ptr, Runtime};
use real_subject::subject;

use crate::{from_hex, hex};

omniglot::include_library!("sodium");

subject! {
    SODIUM: Sodium = "libsodium" from "libsodium-dev",
    does: "makes a key, signs with Ed25519 and checks the signature",
    confirmed: "test 1 of RFC 8032",
    builder: |_input| [],
}

const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const SIGNATURE: &str = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
                         fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";

fn input() -> Result<Vec<u8>> {
    Ok(from_hex(SEED))
}

/// The key, the signature, and whether it is valid while a changed one is not.
type Output = (String, String, bool);

fn run<R: Runtime>(sodium: &mut Sodium<R>, seed: &Vec<u8>) -> omniglot::Result<Output> {
    sodium.scope(|sodium| {
        sodium.sodium_init()?;
        let seed = sodium.copy_in(seed)?;
        let (public, secret) = (sodium.zeroed::<u8>(32)?, sodium.zeroed::<u8>(64)?);
        sodium.crypto_sign_seed_keypair(public, secret, seed)?;
        let (signature, no_len) = (sodium.zeroed::<u8>(64)?, Ptr::<u64>::null());
        let nothing = sodium.zeroed::<u8>(1)?;
        sodium.crypto_sign_detached(signature, no_len, nothing, 0, secret)?;
        let right = sodium.crypto_sign_verify_detached(signature, nothing, 0, public)?;
        let wrong = sodium.crypto_sign_verify_detached(signature, nothing, 1, public)?;
        let (public, signature) = (sodium.view_slice(public)?, sodium.view_slice(signature)?);
        Ok((hex(&public), hex(&signature), right == 0 && wrong != 0))
    })
}

fn confirm(_: &Vec<u8>, (public, signature, is_right): &Output) -> Result<()> {
    ensure!(public == PUBLIC && signature == SIGNATURE && *is_right, "{public} {signature}");
    Ok(())
}
