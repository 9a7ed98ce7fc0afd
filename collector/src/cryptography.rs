//! Which implementation TLS takes its ciphers from: one for the whole process.

/// Has rustls take its ciphers from ring, unless somebody has chosen before. To be called before the first client or
/// server of the process is made, TLS or not.
pub fn provide() {
    // An error says only that it was chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
