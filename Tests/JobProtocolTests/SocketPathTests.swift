import JobProtocol
import Testing

@Suite("The socket's path")
struct SocketPathTests {
  @Test("JOBBROKER_SOCKET comes first, for root too")
  func variable() {
    let environment = ["JOBBROKER_SOCKET": "/x/y.sock", "XDG_RUNTIME_DIR": "/run/user/1000"]
    #expect(DefaultPath.socket(environment: environment, uid: 0) == "/x/y.sock")
    #expect(DefaultPath.socket(environment: environment, uid: 1000) == "/x/y.sock")
  }

  @Test("Root's is the system's")
  func root() {
    let environment = ["JOBBROKER_SOCKET": "", "XDG_RUNTIME_DIR": "/run/user/0"]
    #expect(DefaultPath.socket(environment: environment, uid: 0) == "/run/jobbroker/jobbroker.sock")
  }

  @Test("A user's is in the runtime directory, or a private one in /tmp")
  func user() {
    #expect(
      DefaultPath.socket(environment: ["XDG_RUNTIME_DIR": "/run/user/1000"], uid: 1000)
        == "/run/user/1000/jobbroker/jobbroker.sock")
    for directory in ["", "relative"] {
      #expect(
        DefaultPath.socket(environment: ["XDG_RUNTIME_DIR": directory], uid: 1000)
          == "/tmp/jobbroker-1000/jobbroker.sock")
    }
    #expect(DefaultPath.socket(environment: [:], uid: 1000) == "/tmp/jobbroker-1000/jobbroker.sock")
  }
}
