// swift-tools-version: 6.2
import PackageDescription

/// Swift makes no `main`; SwiftPM links each program's NAME_main as such, in place of libFuzzer's own. scripts/fuzz.sh
/// adds the sanitizers, for all targets alike.
let fuzzer: [SwiftSetting] = [.unsafeFlags(["-parse-as-library"])]
let parts = Target.Dependency.product(name: "JobBrokerParts", package: "jobbroker")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
  name: "Fuzz",
  dependencies: [
    .package(name: "jobbroker", path: ".."),
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
  ],
  targets: [
    .target(name: "CLibFuzzer"),
    .executableTarget(
      name: "FuzzFrames", dependencies: ["CLibFuzzer", parts, nioCore], swiftSettings: fuzzer),
    .executableTarget(
      name: "FuzzMessages", dependencies: ["CLibFuzzer", parts, nioCore], swiftSettings: fuzzer),
    .executableTarget(
      name: "FuzzConnection", dependencies: ["CLibFuzzer", parts, nioCore, lifecycle, logging],
      swiftSettings: fuzzer),
  ]
)
