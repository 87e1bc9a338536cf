//! What goes wrong around the program: its configuration, its filter, a GPU's driver, an abort.

use totton_protocol::{Answer, Command as Order, FaultKind};

use super::*;

#[test]
fn a_bad_configuration_is_checked_by_file_line_and_what_is_accepted() {
    let machine = Machine::new("sent.raw");
    let check = || {
        let output = machine.command().arg("check-config").output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check().0, Some(0));
    fs::write(machine.config(), "[capture]\nchannels = 9\n").unwrap();
    let (code, said) = check();
    assert_eq!(code, Some(2), "{said}");
    for part in ["upsampler.toml", "line 2", "channels = 9", "from 1 to 8"] {
        assert!(said.contains(part), "{said}");
    }
    fs::write(machine.config(), "[filter]\npath = \"/nonexistent/a.filter\"\n").unwrap();
    let (code, said) = check();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("/nonexistent/a.filter"), "{said}");
}

#[test]
fn with_a_bad_configuration_the_daemon_starts_muted_and_says_what_is_wrong_until_it_is_right() {
    let machine = Machine::new("sent.raw");
    fs::write(machine.place("sent.raw"), [0; 8]).unwrap();
    let good = fs::read_to_string(machine.config()).unwrap();
    fs::write(machine.config(), format!("{good}[playback.more]\n")).unwrap();
    let mut daemon = machine.daemon();
    daemon.until_heard("READY=1");
    let status = || daemon.client.call(totton_protocol::Command::Status).unwrap();
    let found = status();
    let fault = found.faults.iter().find(|fault| fault.kind == FaultKind::ConfigurationRefused);
    let fault = fault.unwrap_or_else(|| panic!("{found:#?}"));
    assert!(fault.active, "{fault:?}");
    for part in ["upsampler.toml", "line", "more", "the defaults are used"] {
        assert!(fault.message.contains(part), "{fault:?}");
    }
    assert!(found.sound.mute, "nobody knows how loud it was to be");
    // Put right, and read again.
    fs::write(machine.config(), &good).unwrap();
    daemon.signal(libc::SIGHUP);
    let found = until("the stream", || {
        let status = status();
        (status.state == State::Streaming).then_some(status)
    });
    assert!(found.faults.iter().all(|fault| !fault.active), "{found:#?}");
    assert!(found.sound.mute, "it is for the listener to end that");
    assert!(daemon.terminate().0.success());
}

#[test]
fn without_a_filter_the_daemon_starts_and_says_which_file_is_missing() {
    let machine = Machine::new("sent.raw");
    fs::write(machine.place("sent.raw"), [0; 8]).unwrap();
    let good = fs::read_to_string(machine.config()).unwrap();
    fs::write(machine.config(), good.replace("taps.filter", "none.filter")).unwrap();
    let mut daemon = machine.daemon();
    daemon.until_heard("READY=1");
    let status = || daemon.client.call(totton_protocol::Command::Status).unwrap();
    let found = status();
    let fault = found.faults.iter().find(|fault| fault.kind == FaultKind::FilterMissing).unwrap();
    assert!(fault.active && fault.message.contains("none.filter"), "{fault:?}");
    assert!(found.state == State::Starting && !found.sound.mute, "{found:#?}");
    fs::write(machine.config(), &good).unwrap();
    daemon.signal(libc::SIGHUP);
    until("the stream", || (status().state == State::Streaming).then_some(()));
    assert!(daemon.terminate().0.success());
}

#[test]
fn an_abort_leaves_the_last_minutes_and_the_next_daemon_tells_and_draws_them() {
    let machine = Machine::new("sent.raw");
    fs::write(machine.place("sent.raw"), [0; 8]).unwrap();
    let settings = format!("[settings]\nfile = {:?}\n", machine.place("settings.json"));
    add(&machine.config(), &settings);
    let recorded = |daemon: &Daemon| match daemon.client.ask(Order::FlightRecorder).unwrap() {
        Answer::FlightRecorder { now, at_abort } => (now, at_abort),
        other => panic!("{other:?}"),
    };
    let mut daemon = machine.daemon();
    daemon.until_heard("READY=1");
    let (now, at_abort) = until("ten samples", || {
        let told = recorded(&daemon);
        (told.0.lines().count() > 10).then_some(told)
    });
    assert_eq!(at_abort, None);
    daemon.signal(libc::SIGABRT);
    let status = until("its end", || daemon.child.try_wait().unwrap());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGABRT));
    fs::remove_file(machine.place("notify")).unwrap();

    let mut daemon = machine.daemon();
    daemon.until_heard("READY=1");
    let (_, left) = recorded(&daemon);
    let left = left.unwrap();
    assert!(left.starts_with(now.trim_end()), "what was told before is in it:\n{left}");
    assert!(left.contains(",44100,176400,"), "the rates: {left}");
    assert!(daemon.terminate().0.success());

    fs::write(machine.place("flight-recorder.csv"), &left).unwrap();
    let draw = |table: &str| {
        let files = [machine.place(table), machine.place("drawn.svg")];
        machine.command().arg("plot-recorder").args(files).output().unwrap()
    };
    let drawn = draw("flight-recorder.csv");
    assert!(drawn.status.success(), "{drawn:?}");
    assert!(fs::read_to_string(machine.place("drawn.svg")).unwrap().contains("The DAC's buffer"));
    let refused = draw("upsampler.toml");
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("upsampler.toml: line 2"),
        "{refused:?}"
    );
}

/// A `libcuda.so` whose `cuInit` does not come back, as that of a GPU that has fallen off the bus;
/// it leaves a file `asked`.
fn hanging_driver(machine: &Machine) -> PathBuf {
    let folder = machine.place("driver");
    fs::create_dir(&folder).unwrap();
    let source = format!(
        "#include <fcntl.h>\n#include <unistd.h>\n\
         int cuInit(unsigned flags) {{ creat({:?}, 0600); sleep(600); return 100; }}\n",
        machine.place("asked")
    );
    fs::write(folder.join("cuda.c"), source).unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", "libcuda.so", "cuda.c"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{compiled:?}");
    for name in ["libcuda.so.1", "nvcuda.so"] {
        std::os::unix::fs::symlink("libcuda.so", folder.join(name)).unwrap();
    }
    folder
}

#[test]
fn a_gpu_driver_that_hangs_costs_the_gpu_and_nothing_else() {
    let machine = Machine::new("sent.raw");
    fs::write(machine.place("sent.raw"), [0; 8]).unwrap();
    let driver = hanging_driver(&machine);
    let text = fs::read_to_string(machine.config()).unwrap();
    for (backend, asked) in [("cpu", false), ("auto", cfg!(feature = "cuda"))] {
        let with = text.replace("[engine]\n", &format!("[engine]\nbackend = {backend:?}\n"));
        fs::write(machine.config(), with).unwrap();
        let mut daemon = machine.daemon_with(|command| {
            command.env("LD_LIBRARY_PATH", &driver).stderr(Stdio::null());
        });
        daemon.until_heard("READY=1");
        let status = until("the stream", || {
            let status = daemon.client.call(totton_protocol::Command::Status).ok()?;
            (status.state == State::Streaming).then_some(status)
        });
        assert_eq!(machine.place("asked").exists(), asked, "{backend}");
        let engine = status.engine.unwrap();
        assert_eq!(engine.backend, "cpu");
        let reason = engine.backend_reason.unwrap_or_default();
        assert_eq!(reason.contains("driver has not answered"), asked, "{backend}: {reason}");
        let (ended, took) = daemon.terminate();
        assert!(ended.success() && took < Duration::from_secs(5), "{ended}, {took:?}");
        fs::remove_file(machine.place("notify")).unwrap();
    }
}
