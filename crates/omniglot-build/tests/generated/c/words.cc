// A C++ library with a C interface: containers, exceptions, a static constructor.
#include "words.h"

#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

static std::string longest("none");

static std::set<std::string> words(const char *text)
{
    std::istringstream stream(text);
    std::set<std::string> found;
    for (std::string word; stream >> word;) {
        if (word == "throw")
            throw std::runtime_error("as asked");
        found.insert(word);
    }
    return found;
}

int words_count(const char *text)
{
    try {
        return static_cast<int>(words(text).size());
    } catch (const std::exception &) {
        return -1;
    }
}

const char *words_longest(const char *text)
{
    for (const std::string &word : words(text))
        if (longest == "none" || word.size() > longest.size())
            longest = word;
    return longest.c_str();
}
