//! How workers speak TLS for an HTTPS server.

use std::fmt;
use std::sync::Arc;

use napi::Result;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use super::DataPlane;
use crate::binding::error::BorderError;
use crate::binding::options::millis;
use crate::net::listener::Tls;
use crate::net::tls::config::{Context, Identity, TlsSettings, server_config};

/// How TLS is spoken by the connections that a worker accepts.
#[napi(object)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what a server has been told, as it is named there"
)]
pub struct TlsRules {
    /// The certificates, and their keys.
    pub identities: Vec<TlsIdentity>,
    /// Those for certain names; the first one counts that fits.
    pub contexts: Vec<TlsContext>,
    /// The cipher suites, as OpenSSL or the standard names them, the best first.
    pub ciphers: Vec<String>,
    /// Whether the client's order of them counts.
    pub client_order: bool,
    /// Whether TLS 1.2 is spoken…
    pub tls12: bool,
    /// …and TLS 1.3.
    pub tls13: bool,
    /// What is offered by ALPN.
    pub alpn: Vec<String>,
    /// How long a handshake may take, in ms.
    pub handshake_timeout: f64,
    /// Whether JavaScript wants to hear of those that fail.
    pub tells_failures: bool,
}

/// A certificate and its key.
#[napi(object)]
pub struct TlsIdentity {
    /// By which it is told that it was shown; not 0.
    pub number: u32,
    /// The certificate, and those that vouch for it: each as DER.
    pub chain: Vec<Buffer>,
    /// The key: PKCS #8 as DER.
    pub key: Buffer,
}

/// What is shown to clients that ask for certain names.
#[napi(object)]
pub struct TlsContext {
    /// The names; `*` stands for any characters but a dot.
    pub pattern: String,
    /// What is shown to them.
    pub identities: Vec<TlsIdentity>,
}

impl fmt::Debug for TlsRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsRules").field("alpn", &self.alpn).finish_non_exhaustive()
    }
}

impl fmt::Debug for TlsIdentity {
    /// The key is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsContext").field("pattern", &self.pattern).finish_non_exhaustive()
    }
}

#[napi]
impl DataPlane {
    /// Says how the connections speak TLS that a worker accepts from now on for the HTTP server which JavaScript knows
    /// by `number`; 0: only looks whether it can be.
    ///
    /// # Errors
    /// When it can't: the message begins with the name of the option that is against it.
    #[napi(catch_unwind)]
    pub fn secure(&self, number: u32, rules: TlsRules) -> Result<()> {
        let (timeout, tells_failures) = (millis(rules.handshake_timeout), rules.tells_failures);
        let config = server_config(&rules.read()).map_err(BorderError::Tls)?;
        if let Some((_, listener)) = self.listeners.borrow().get(&number) {
            listener.secure(Some(Arc::new(Tls { config, timeout, tells_failures })));
        }
        Ok(())
    }
}

impl TlsRules {
    fn read(self) -> TlsSettings {
        let Self { identities, contexts, ciphers, client_order, tls12, tls13, alpn, .. } = self;
        let contexts = contexts.into_iter().map(|TlsContext { pattern, identities }| Context {
            pattern,
            identities: read(identities),
        });
        TlsSettings {
            identities: read(identities),
            contexts: contexts.collect(),
            ciphers,
            client_order,
            tls12,
            tls13,
            alpn,
        }
    }
}

fn read(identities: Vec<TlsIdentity>) -> Vec<Identity> {
    let read = |TlsIdentity { number, chain, key }: TlsIdentity| Identity {
        number,
        chain: chain.iter().map(|der| der.to_vec()).collect(),
        key: key.to_vec(),
    };
    identities.into_iter().map(read).collect()
}
