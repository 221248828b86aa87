//! Links the library so that the server never unmaps it: a load that fails closes it, and nothing of it may vanish under a running thread.

fn main() {
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
}
