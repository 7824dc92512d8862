/* A second library, for tests of how libraries are found. */
int extra_function(int number)
{
    return number + 1;
}
