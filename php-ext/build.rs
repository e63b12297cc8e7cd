//! Sets options of the linker.

fn main() {
    // PHP unloads its extensions when it ends, while a thread that looks up a host may still be at work.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|target| target == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
