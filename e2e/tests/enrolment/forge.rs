//! Service account tokens (JWT, RFC 7519) with other claims, signed with the cluster's own key.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rcgen::{KeyPair, SigningKey};
use serde_json::Value;

/// `token` with its claims changed, signed anew by the key in `folder`, the cluster's.
pub(crate) fn sign_anew(token: &str, folder: &Path, change: impl FnOnce(&mut Value)) -> String {
    let (header, claims) = parts(token);
    let mut claims: Value = serde_json::from_slice(&base64(&padded(claims), true)).expect("well formed");
    change(&mut claims);
    let signed = format!("{header}.{}", url(&base64(claims.to_string().as_bytes(), false)));
    let key = std::fs::read_to_string(folder.join("pki/service-accounts.key")).expect("well formed");
    let signature =
        KeyPair::from_pem(&key).expect("well formed").sign(signed.as_bytes()).expect("well formed");
    format!("{signed}.{}", url(&base64(&raw_signature(&signature), false)))
}

fn parts(token: &str) -> (&str, &str) {
    let mut parts = token.split('.');
    (parts.next().expect("well formed"), parts.next().expect("well formed"))
}

/// ES256 wants r and s as 32 bytes each (RFC 7518 3.4), not the DER SEQUENCE of two INTEGERs.
fn raw_signature(der: &[u8]) -> Vec<u8> {
    let mut rest = &der[2..];
    let mut raw = Vec::new();
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let (number, behind) = rest[2..].split_at(length);
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        raw.extend(std::iter::repeat_n(0, 32 - number.len()).chain(number.iter().copied()));
        rest = behind;
    }
    raw
}

fn padded(text: &str) -> Vec<u8> {
    let plain = text.replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - plain.len() % 4) % 4);
    (plain + &padding).into_bytes()
}

fn url(base64: &[u8]) -> String {
    let text = String::from_utf8(base64.to_vec()).expect("well formed");
    text.trim_end().trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn base64(input: &[u8], decode: bool) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(["base64", "-A"]).args(decode.then_some("-d")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().expect("openssl is installed");
    process.stdin.take().expect("well formed").write_all(input).expect("well formed");
    process.wait_with_output().expect("well formed").stdout
}
