use chatpush_stack::artifacts;

/// Only the builds of the chaos test, which have other names, can break a promise on purpose.
#[test]
fn daemon_and_extension_break_no_promise_on_request() {
    for path in [artifacts::daemon(), artifacts::extension()] {
        let path = path.expect("it is built");
        let program = std::fs::read(&path).expect("it can be read");
        let names_it = String::from_utf8_lossy(&program).contains("CHATPUSH_FAULT_INJECTION");
        assert!(!names_it, "{path} was built with the feature fault_injection");
    }
}
