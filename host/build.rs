//! How the library is linked: so that the server never unmaps it (a load that fails closes it, and nothing of
//! it may vanish under a running thread), and so that it runs where glibc is older than here.

use std::env::var;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the library takes from libpthread and libdl, as glibc 2.28 had them. A linker finds them in a glibc
/// of today under versions of 2.32 and 2.34, with which they moved into libc; every later glibc has them
/// under the old versions too.
const PTHREAD: &[&str] = &[
    "pthread_attr_getguardsize",
    "pthread_attr_getstack",
    "pthread_attr_setstacksize",
    "pthread_create",
    "pthread_detach",
    "pthread_getattr_np",
    "pthread_getcpuclockid",
    "pthread_join",
    "pthread_key_create",
    "pthread_key_delete",
    "pthread_setspecific",
    "pthread_sigmask",
];
const PTHREAD_SETNAME: &[&str] = &["pthread_setname_np"];
const DL: &[&str] = &["dladdr", "dlsym"];

/// The names that came with a version of glibc.
type Symbols = (&'static str, Vec<&'static str>);

fn main() {
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=glibc/later.c");
    let cargo = |name: &str| var(name).unwrap_or_default();
    if cargo("CARGO_CFG_TARGET_OS") != "linux" || cargo("CARGO_CFG_TARGET_ENV") != "gnu" || cargo("HOST") != cargo("TARGET") {
        return;
    }
    let (pthread, dl): (Vec<Symbols>, Vec<Symbols>) = match cargo("CARGO_CFG_TARGET_ARCH").as_str() {
        "x86_64" => (vec![("GLIBC_2.2.5", PTHREAD.into()), ("GLIBC_2.12", PTHREAD_SETNAME.into())], vec![("GLIBC_2.2.5", DL.into())]),
        "aarch64" => (vec![("GLIBC_2.17", [PTHREAD, PTHREAD_SETNAME].concat())], vec![("GLIBC_2.17", DL.into())]),
        _ => return,
    };
    let out = cargo("OUT_DIR");
    let out = Path::new(&out);
    compile(out, "later.o", &["-c", "-O2", "-fPIC", "glibc/later.c"]);
    stand_in(out, "libpthread.so.0", &pthread);
    stand_in(out, "libdl.so.2", &dl);
    // What the linker finds for -lpthread and -ldl, before it looks into the system's folders.
    let input = |name: &str| format!("\"{}\"", out.join(name).display());
    write(out, "libpthread.so", &format!("INPUT({} {})", input("libpthread.so.0"), input("later.o")));
    write(out, "libdl.so", &format!("INPUT({})", input("libdl.so.2")));
    // For the library alone: cargo would put a folder that all may search on the path of libraries of the
    // tests that it runs, too.
    println!("cargo:rustc-cdylib-link-arg=-L{}", out.display());
}

/// Makes a library with names and versions of one of glibc's, for the linker to look at: its functions do
/// nothing, and nobody runs them.
fn stand_in(out: &Path, soname: &str, symbols: &[Symbols]) {
    let functions = symbols.iter().flat_map(|(_, names)| names);
    let source: String = functions.map(|name| format!("void {name}(void) {{}}\n")).collect();
    let versions: String = symbols.iter().map(|(version, names)| format!("{version} {{ global: {}; }};\n", names.join("; "))).collect();
    write(out, "stand-in.c", &source);
    write(out, "stand-in.map", &versions);
    let script = format!("-Wl,--version-script={}", out.join("stand-in.map").display());
    let source = out.join("stand-in.c");
    let soname_option = format!("-Wl,-soname,{soname}");
    compile(out, soname, &["-shared", "-nostdlib", "-fPIC", "-fno-builtin", &soname_option, &script, &source.to_string_lossy()]);
}

fn compile(out: &Path, name: &str, arguments: &[&str]) {
    let status = Command::new("cc").args(arguments).arg("-o").arg(out.join(name)).status();
    assert!(status.is_ok_and(|status| status.success()), "cc {} failed: a C compiler is needed", arguments.join(" "));
}

fn write(out: &Path, name: &str, text: &str) {
    fs::write(out.join(name), text).expect("the build folder can be written");
}
