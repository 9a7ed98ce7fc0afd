//! Which image runs.

use crds::collector::FlowCollector;
use crds::config::cluster::VersionChoice;

use crate::context::Options;
use crate::facts::Refusal;

/// The image of a collector's programs: the operator's own repository, with the version that the collector names or
/// was made with.
///
/// # Errors
/// When the operator does not allow it.
pub(super) fn chosen(
    collector: &FlowCollector,
    choice: &VersionChoice,
    options: &Options,
) -> Result<String, Refusal> {
    let version = version(collector, choice, options);
    if version == options.version {
        return Ok(options.image.clone());
    }
    let image = with_version(&options.image, &version);
    let allowed = &options.allowed_images;
    if allowed.iter().any(|prefix| image.starts_with(prefix.as_str())) {
        return Ok(image);
    }
    let which = if allowed.is_empty() {
        format!("this operator runs {} alone", options.image)
    } else {
        format!("allowed are images that begin with {}", allowed.join(" or "))
    };
    let message =
        format!("spec.version: image {image} is not allowed by the operator (--allowed-images): {which}");
    Err(Refusal { reason: "ImageNotAllowed", message })
}

/// The version that runs, or is to.
pub(crate) fn version(collector: &FlowCollector, choice: &VersionChoice, options: &Options) -> String {
    let own = || options.version.clone();
    match choice {
        VersionChoice::Named(version) => version.clone(),
        VersionChoice::Operators => own(),
        VersionChoice::AsMade => {
            collector.status.as_ref().and_then(|status| status.version.clone()).unwrap_or_else(own)
        }
    }
}

/// The repository with another tag or digest.
fn with_version(image: &str, version: &str) -> String {
    let repository = image.split_once('@').map_or(image, |(repository, _)| repository);
    // A colon before the last slash is a registry's port.
    let name_at = repository.rfind('/').map_or(0, |slash| slash + 1);
    let repository = match repository[name_at..].find(':') {
        Some(colon) => &repository[..name_at + colon],
        None => repository,
    };
    let separator = if version.starts_with("sha256:") { '@' } else { ':' };
    format!("{repository}{separator}{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_takes_the_place_of_tag_or_digest() {
        for (image, version, expected) in [
            ("weir:0.1.0", "0.2.0", "weir:0.2.0"),
            ("registry.example:5000/net/weir:0.1.0", "0.2.0", "registry.example:5000/net/weir:0.2.0"),
            ("registry.example:5000/net/weir", "0.2.0", "registry.example:5000/net/weir:0.2.0"),
            ("net/weir@sha256:aa", "sha256:bb", "net/weir@sha256:bb"),
        ] {
            assert_eq!(with_version(image, version), expected);
        }
    }
}
