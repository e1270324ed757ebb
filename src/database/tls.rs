//! The TLS of a session: rustls with ring, always against the server's own name.
//!
//! Owns which authorities are believed and how a failed handshake is told. It never turns verification off.

use super::LoginError;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connector that believes the authorities of this bundle, or else those that the system believes.
pub(super) fn connector(bundle: Option<&Path>) -> Result<MakeRustlsConnect, LoginError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of these versions");
    let config = match bundle {
        Some(file) => config.with_root_certificates(authorities(file)?).with_no_client_auth(),
        None => {
            let config = config.with_platform_verifier();
            config.map_err(|why| unusable("the system's authorities", &why))?.with_no_client_auth()
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(file: &Path) -> Result<RootCertStore, LoginError> {
    let bad = |why: &dyn Error| unusable(&file.display().to_string(), why);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|why| bad(&why))? {
        roots.add(certificate.map_err(|why| bad(&why))?).map_err(|why| bad(&why))?;
    }
    if roots.is_empty() {
        return Err(LoginError::Authorities {
            of: file.display().to_string(),
            reason: "it holds no certificate in PEM".to_owned(),
        });
    }
    Ok(roots)
}

fn unusable(of: &str, why: &dyn Error) -> LoginError {
    LoginError::Authorities { of: of.to_owned(), reason: why.to_string() }
}

/// What a handshake failed at, if it was one.
pub(super) fn failure(error: &tokio_postgres::Error) -> Option<LoginError> {
    use rustls::{CertificateError, Error as Tls};
    let reason = innermost::<Tls>(error)?;
    Some(match reason {
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => LoginError::WrongName,
        _ => LoginError::Untrusted { reason: reason.to_string() },
    })
}

/// The first cause of that type, also where an I/O error wraps it.
pub(super) fn innermost<E: Error + 'static>(error: &tokio_postgres::Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(here) = cause {
        if let Some(found) = here.downcast_ref() {
            return Some(found);
        }
        let wrapped = here.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => here.source(),
        };
    }
    None
}
