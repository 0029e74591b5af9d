// NVRTC: compiles kernels for the host with g++, as they come and with the options that come along. What was compiled once
// is kept beside this library.
#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "driver.h"
#include "launch.h"
#include "report.h"

using namespace stand_in;

namespace {

enum nvrtcResult : int {
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_INVALID_INPUT = 3,
    NVRTC_ERROR_INVALID_PROGRAM = 4,
    NVRTC_ERROR_INVALID_OPTION = 5,
    NVRTC_ERROR_COMPILATION = 6,
};

// The headers in front of the kernels, as text.
const char* const abi =
#include "kernel_abi.h.text"
    ;
const char* const shim =
#include "kernel_shim.h.text"
    ;

struct Program {
    std::string source, name, ptx, log;
};

std::string quoted(const std::string& word) {
    std::string result = "'";
    for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result + "'";
}

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (!file.flush()) fault("%s cannot be written", path.c_str());
}

uint64_t digest(const std::string& text) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3ull;
    return hash;
}

// Where compiled modules are kept: beside this library, or in a folder of this process where that cannot be written to.
const std::string& folder() {
    static const std::string path = [] {
        Dl_info info{};
        dladdr(reinterpret_cast<const void*>(&digest), &info);
        const std::string library = info.dli_fname ? info.dli_fname : "./";
        const std::string beside = library.substr(0, library.rfind('/') + 1) + "kernels";
        mkdir(beside.c_str(), 0777);
        if (access(beside.c_str(), W_OK) == 0) {
            char* full = realpath(beside.c_str(), nullptr);
            const std::string result = full;
            free(full);
            return result;
        }
        const char* temporary = getenv("TMPDIR");
        std::string made = std::string(temporary ? temporary : "/tmp") + "/cuda-stand-in-XXXXXX";
        if (!mkdtemp(made.data())) fault("there is no folder for compiled kernels");
        return made;
    }();
    return path;
}

// Those of our own options that g++ is given: macros and include folders. The rest is about the device.
// Without an architecture __CUDA_ARCH__ is not defined, and nothing of PTX is met.
bool translate(const std::string& option, std::vector<std::string>& words) {
    const auto behind = [&](const char* prefix, std::string& rest) {
        if (option.rfind(prefix, 0) != 0) return false;
        rest = option.substr(strlen(prefix));
        return true;
    };
    std::string rest;
    if (behind("--define-macro=", rest) || behind("-D", rest)) {
        words.push_back("-D" + rest);
    } else if (behind("--undefine-macro=", rest) || behind("-U", rest)) {
        words.push_back("-U" + rest);
    } else if (behind("--include-path=", rest) || behind("-I", rest)) {
        words.push_back("-I" + rest);
    } else {
        return !option.empty() && option[0] == '-';
    }
    return true;
}

// Runs a compiler; false where it fails, with what it says in `log`.
bool compile(const std::string& command, const std::string& log_path, std::string& log) {
    const int status = system((command + " 2>" + quoted(log_path)).c_str());
    log = read(log_path);
    unlink(log_path.c_str());
    if (status != 0 && log.empty()) log = "the stand-in needs a C++ compiler: g++, or what CXX names\n";
    return status == 0;
}

// The names of the kernels in preprocessed source.
std::vector<std::string> kernels(const std::string& source) {
    static const std::regex declaration(
        R"(__global__\s+(?:static\s+|inline\s+)*void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\()"
    );
    std::vector<std::string> names;
    for (std::sregex_iterator at(source.begin(), source.end(), declaration), end; at != end; ++at) {
        names.push_back((*at)[1]);
    }
    return names;
}

std::string unit(const std::string& source, const std::vector<std::string>& names) {
    std::string text = std::string(abi) + shim + "namespace {\n" + source + "\n}\nSTAND_IN_MODULE(";
    for (size_t i = 0; i < names.size(); i++) {
        text += (i ? ", " : "") + ("StandInKernel<&" + names[i] + ">::entry(\"" + names[i] + "\")");
    }
    return text + ")\n";
}

nvrtcResult build(Program& program, const std::vector<std::string>& options) {
    std::vector<std::string> words;
    std::string macros;
    for (const std::string& option : options) {
        if (!translate(option, words)) {
            program.log = "unrecognised option " + option + "\n";
            return NVRTC_ERROR_INVALID_OPTION;
        }
    }
    for (const std::string& word : words) macros += " " + quoted(word);
    const char* compiler = getenv("CXX");
    const std::string cxx = compiler && *compiler ? compiler : "g++";
    // A load that is not aligned to its type, which a device refuses, ends in an illegal instruction.
    const std::string flags =
        " -std=c++17 -O2 -fPIC -shared -fvisibility=hidden -ffp-contract=off -fno-strict-aliasing -Wno-unknown-pragmas"
        " -fsanitize=alignment -fsanitize-undefined-trap-on-error";
    char key[32];
    snprintf(
        key, sizeof key, "%016llx",
        (unsigned long long)digest(std::string(abi) + shim + program.source + macros + cxx + flags)
    );
    const std::string base = folder() + "/" + key, module = base + ".so", list = base + ".names";
    if (access(module.c_str(), R_OK) != 0 || access(list.c_str(), R_OK) != 0) {
        // Another process may be at it too; the last one to rename wins.
        const std::string own = base + "." + std::to_string(getpid());
        const std::string file = program.name.empty() ? "kernels.cu" : program.name;
        write(own + ".cu", "#line 1 \"" + file + "\"\n" + program.source);
        const std::string preprocess = cxx + " -std=c++17 -E -x c++ -D__CUDACC__ -D__CUDACC_RTC__" + macros + " " + quoted(own + ".cu") + " -o " + quoted(own + ".ii");
        bool done = compile(preprocess, own + ".log", program.log);
        if (done) {
            const std::string source = read(own + ".ii");
            const std::vector<std::string> names = kernels(source);
            if (names.empty()) {
                program.log = "there are no kernels in the source\n";
                done = false;
            } else {
                write(own + ".cpp", unit(source, names));
                const std::string command =
                    cxx + flags + " " + quoted(own + ".cpp") + " -o " + quoted(own + ".so");
                done = compile(command, own + ".log", program.log);
                std::string lines;
                for (const std::string& name : names) lines += name + "\n";
                write(own + ".names", lines);
            }
        }
        for (const char* end : {".cu", ".ii", ".cpp"}) unlink((own + end).c_str());
        if (!done) {
            for (const char* end : {".so", ".names"}) unlink((own + end).c_str());
            return NVRTC_ERROR_COMPILATION;
        }
        rename((own + ".names").c_str(), list.c_str());
        rename((own + ".so").c_str(), module.c_str());
    }
    program.ptx = std::string(module_mark) + module + "\n";
    std::istringstream names(read(list));
    for (std::string name; std::getline(names, name);) program.ptx += ".visible .entry " + name + "()\n";
    return NVRTC_SUCCESS;
}

}  // namespace

STAND_IN_API nvrtcResult nvrtcVersion(int* major, int* minor) {
    *major = 13;
    *minor = 0;
    return NVRTC_SUCCESS;
}

STAND_IN_API const char* nvrtcGetErrorString(nvrtcResult result) {
    switch (result) {
        case NVRTC_SUCCESS:
            return "NVRTC_SUCCESS";
        case NVRTC_ERROR_INVALID_INPUT:
            return "NVRTC_ERROR_INVALID_INPUT";
        case NVRTC_ERROR_INVALID_PROGRAM:
            return "NVRTC_ERROR_INVALID_PROGRAM";
        case NVRTC_ERROR_INVALID_OPTION:
            return "NVRTC_ERROR_INVALID_OPTION";
        case NVRTC_ERROR_COMPILATION:
            return "NVRTC_ERROR_COMPILATION";
    }
    return "NVRTC_ERROR unknown";
}

STAND_IN_API nvrtcResult nvrtcCreateProgram(
    Program** program, const char* source, const char* name, int headers, const char* const*, const char* const*
) {
    if (headers != 0) {
        note("nvrtcCreateProgram: headers in memory are not modelled");
        return NVRTC_ERROR_INVALID_INPUT;
    }
    *program = new Program{source, name ? name : "", "", ""};
    return NVRTC_SUCCESS;
}

STAND_IN_API nvrtcResult nvrtcDestroyProgram(Program** program) {
    delete *program;
    *program = nullptr;
    return NVRTC_SUCCESS;
}

STAND_IN_API nvrtcResult nvrtcCompileProgram(Program* program, int count, const char* const* options) {
    Locked locked;
    return build(*program, std::vector<std::string>(options, options + count));
}

STAND_IN_API nvrtcResult nvrtcGetPTXSize(Program* program, size_t* bytes) {
    if (program->ptx.empty()) return NVRTC_ERROR_INVALID_PROGRAM;
    *bytes = program->ptx.size() + 1;
    return NVRTC_SUCCESS;
}
STAND_IN_API nvrtcResult nvrtcGetPTX(Program* program, char* ptx) {
    if (program->ptx.empty()) return NVRTC_ERROR_INVALID_PROGRAM;
    memcpy(ptx, program->ptx.c_str(), program->ptx.size() + 1);
    return NVRTC_SUCCESS;
}
STAND_IN_API nvrtcResult nvrtcGetProgramLogSize(Program* program, size_t* bytes) {
    *bytes = program->log.size() + 1;
    return NVRTC_SUCCESS;
}
STAND_IN_API nvrtcResult nvrtcGetProgramLog(Program* program, char* log) {
    memcpy(log, program->log.c_str(), program->log.size() + 1);
    return NVRTC_SUCCESS;
}

// There is no machine code: programs fall back on PTX.
STAND_IN_API nvrtcResult nvrtcGetCUBINSize(Program*, size_t* bytes) {
    *bytes = 0;
    return NVRTC_SUCCESS;
}
STAND_IN_API nvrtcResult nvrtcGetCUBIN(Program*, char*) { return NVRTC_ERROR_INVALID_PROGRAM; }
