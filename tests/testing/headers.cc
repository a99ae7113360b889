// Has nothing of its own: its precompiled headers are those of all tests (tests/CMakeLists.txt).
int main() {}
