//! A connection to a Redis, as bytes: by TCP, with TLS or without, or by a Unix socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_ok;
use redis::{ConnectionAddr, RedisError, RedisResult};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bytes that come and go.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// What is said of TLS.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsOptions {
    /// Who is trusted, as PEM; without it, whom the system trusts.
    pub(super) ca: Option<String>,
    /// Our certificate and its key, as PEM.
    pub(super) identity: Option<(String, String)>,
}

/// What comes of something in time.
pub(super) async fn within<T>(
    most: Duration,
    result: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    match timeout(most, result).await {
        Ok(result) => result,
        Err(_late) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// Connects.
///
/// # Errors
/// Nobody is there, or it is not the right one.
pub(super) async fn dial(
    address: &ConnectionAddr,
    tls: &TlsOptions,
) -> RedisResult<Box<dyn ByteStream>> {
    match address {
        ConnectionAddr::Tcp(host, port) => Ok(Box::new(tcp(host, *port).await?)),
        ConnectionAddr::TcpTls { host, port, insecure, .. } => {
            let config = tls_config(tls, *insecure)?;
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let stream = tcp(host, *port).await?;
            Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
        _ => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
    }
}

/// Connects to whichever address of a host answers first.
async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    }
    let dials = addresses.into_iter().map(|address| Box::pin(TcpStream::connect(address)));
    let (stream, _others) = select_ok(dials).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What counts for TLS. `insecure`: whoever answers is taken for Redis.
///
/// # Errors
/// What has been given is no certificate, or no key.
pub(super) fn tls_config(options: &TlsOptions, insecure: bool) -> RedisResult<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(RedisError::from)?;
    let builder = if insecure {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(algorithms)))
    } else {
        builder.with_root_certificates(roots(options.ca.as_deref())?)
    };
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
            let chain = chain.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(io::Error::other)?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    config.enable_sni = !insecure;
    Ok(config)
}

fn roots(ca: Option<&str>) -> RedisResult<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = ca {
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(certificate.map_err(io::Error::other)?)?;
        }
        return Ok(roots);
    }
    let mut found = rustls_native_certs::load_native_certs();
    let (_added, _unusable) = roots.add_parsable_certificates(found.certs);
    match found.errors.pop() {
        Some(error) if roots.is_empty() => Err(io::Error::other(error).into()),
        _ => Ok(roots),
    }
}

/// Takes whoever answers for the right one.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
