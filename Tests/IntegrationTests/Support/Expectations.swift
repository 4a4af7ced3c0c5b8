import JobModel
import Testing

/// Expects an error of this code and returns it.
@discardableResult
func expect(
  _ code: JobError.Code, sourceLocation: SourceLocation = #_sourceLocation, from body: () async throws -> Void
) async -> JobError? {
  do {
    try await body()
    Issue.record("expected \(code.rawValue), got no error", sourceLocation: sourceLocation)
  } catch let error as JobError {
    #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    return error
  } catch {
    Issue.record("expected \(code.rawValue), got \(error)", sourceLocation: sourceLocation)
  }
  return nil
}

/// Starts a broker for one test and ends it afterwards.
func withBroker(_ arguments: [String] = [], _ body: (BrokerProcess) async throws -> Void) async throws {
  let broker = try await BrokerProcess.start(arguments)
  do {
    try await body(broker)
  } catch {
    await broker.process.stop()
    throw error
  }
  #expect(await broker.process.stop() == 0, "the broker did not shut down cleanly")
}

/// Asks again and again until the answer is as wanted, for what is not told by an event. Fails after a minute.
func until<Answer>(
  _ question: () async throws -> Answer, _ isWanted: (Answer) throws -> Bool,
  sourceLocation: SourceLocation = #_sourceLocation
) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  var answer = try await question()
  while try !isWanted(answer) {
    guard ContinuousClock.now < deadline else {
      Issue.record("still \(answer)", sourceLocation: sourceLocation)
      return
    }
    answer = try await question()
  }
}
