use super::*;

#[test]
fn a_gpu_that_comes_late_is_not_said_to_render_the_stream_that_runs() {
    let board = Board::new(Arc::default());
    let engine = Engine {
        backend: "cuda".to_owned(),
        backend_reason: Some("driver for CUDA 12.6".to_owned()),
        ..Engine::default()
    };
    board.facts().engine = Some(engine.clone());
    let told = |state| {
        board.facts().state = state;
        board.status().engine.unwrap()
    };
    assert_eq!(told(State::WaitingForDac), engine, "what the next stream will have");
    for state in [State::Streaming, State::Idle] {
        let told = told(state);
        assert_eq!(told.backend, "cpu");
        let reason = told.backend_reason.unwrap();
        assert!(reason.contains("next") && reason.contains("driver for CUDA 12.6"), "{reason}");
        let said = board.who_renders();
        assert!(said.starts_with("; on the processor: a GPU came"), "{said}");
    }
}
