//! Writes container images without a container engine or a base image.
//!
//! Files go into a [`Layer`], which is packed and hashed on its way into a temporary file; its digests go into the image's
//! configuration, that one's into the manifest, and all of them into one archive ([`Image::write`]). What goes in decides
//! every byte that comes out: no clock, no user's name and no order of a folder's entries is in it.

mod archive;
mod digest;
mod image;
mod layer;

pub use image::Image;
pub use layer::Layer;
